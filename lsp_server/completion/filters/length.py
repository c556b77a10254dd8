"""Cut a suggestion after `inline.maxLines` lines, where a cut is possible.

A suggestion whose last line continues into text right of the cursor cannot lose that line, so
it is dropped instead.
"""

from __future__ import annotations

from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings


def limit_lines(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    lines = suggestion.text.split(around.line_end)
    if len(lines) <= around.max_lines:
        return suggestion
    if around.after.strip():
        return Drop(f"{len(lines)} lines, {around.max_lines} allowed, with text after them")
    return replace(suggestion, text=around.line_end.join(lines[: around.max_lines]))
