"""Stop a suggestion that repeats itself.

Of a line said several times in a row, one is left, so that what is opened before is still closed
behind; a short unit repeated within a line condemns it, unless the neighbourhood repeats the same
unit (a table of zeros).
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
    kept = lines[:1]
    for index, said in enumerate(lines[1:], 1):
        line = said.strip()
        before = around.before + kept[0] if len(kept) == 1 else kept[-1]
        last = index == len(lines) - 1
        whole = line + around.after.rstrip() if last else line
        if len(line) >= _MIN_LINE and whole == before.strip() and any(map(str.isalnum, line)):
            if last and around.after.strip():
                return Drop("repeats a line, and cannot be cut before the suffix")
            continue
        kept.append(said)
    return replace(suggestion, text=around.line_end.join(kept))
