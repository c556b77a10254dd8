"""Drop or trim what is already there: the rest of the line, the line above, lines below."""

from __future__ import annotations

from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

# Shorter lines (a brace, `else:`) repeat in sound code.
_MIN_LINE = 6


def trim_duplicate_lines(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    text, after = suggestion.text, around.after.strip()
    if len(after) > 1 and text.strip() == after:
        return Drop("repeats the rest of the line")
    lines = text.split(around.line_end)
    if len(lines) == 1 or not any(line.strip() for line in lines[1:]):
        whole = (around.before + text + around.after).strip()
        if len(whole) >= _MIN_LINE:
            if around.following and whole == around.following[0].strip():
                return Drop("repeats the line below")
            if around.preceding and whole == around.preceding[-1].strip():
                return Drop("repeats the line above")
        return suggestion
    if after:
        return suggestion
    kept = len(lines) - _overlap(lines[1:], around.following)
    if kept == len(lines):
        return suggestion
    return replace(suggestion, text=around.line_end.join(lines[:kept]))


def _overlap(lines: list[str], following: tuple[str, ...]) -> int:
    """How many of the last lines are the first lines below the hole, blank lines aside."""
    spoken = [index for index, line in enumerate(lines) if line.strip()]
    for first, index in enumerate(spoken):
        tail = [lines[i].rstrip() for i in spoken[first:]]
        below = [line.rstrip() for line in following[: len(tail)]]
        if tail == below and sum(len(line.strip()) for line in tail) >= _MIN_LINE:
            return len(lines) - index
    return 0
