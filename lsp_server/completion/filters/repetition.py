"""Stop a suggestion that has begun to repeat itself.

A line said twice in a row ends the suggestion after the first; a short unit repeated within a
line condemns it, unless the neighbourhood repeats the same unit (a table of zeros).
"""

from __future__ import annotations

import re
from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

# A unit of 2 to 40 characters, four times in a row.
_REPEATED = re.compile(r"(.{2,40}?)\1{3,}")
_MIN_LINE = 4


def stop_repetition(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    for match in _REPEATED.finditer(suggestion.text):
        unit = match[1]
        if not any(character.isalnum() for character in unit):
            continue
        near = (around.before, around.after, *around.preceding, *around.following)
        if not any(2 * unit in text for text in near):
            return Drop("repeats itself within a line")
    lines = suggestion.text.split(around.line_end)
    for index in range(1, len(lines)):
        line = lines[index].strip()
        before = around.before + lines[0] if index == 1 else lines[index - 1]
        last = index == len(lines) - 1
        whole = line + around.after.rstrip() if last else line
        if len(line) >= _MIN_LINE and whole == before.strip() and any(map(str.isalnum, line)):
            if last and around.after.strip():
                return Drop("repeats a line, and cannot be cut before the suffix")
            return replace(suggestion, text=around.line_end.join(lines[:index]))
    return suggestion
