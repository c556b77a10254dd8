"""Trim the end of a suggestion that says again what stands right of the cursor.

Closing brackets are trimmed only when the engine says that the document does not parse with
them: `f(g(x|))` may well need a fill that ends in a bracket.
"""

from __future__ import annotations

from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

_CLOSERS = frozenset(")]}>'\"`;,: \t")


def trim_suffix_overlap(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    after = around.after.rstrip()
    text = suggestion.text
    if not after:
        return suggestion
    if text.endswith(after) and _may_trim(after, suggestion):
        return replace(suggestion, text=text[: -len(after)])
    if suggestion.parses is not False:
        return suggestion
    for size in range(len(after) - 1, 0, -1):
        if set(after[:size]) <= _CLOSERS and text.endswith(after[:size]):
            return replace(suggestion, text=text[:-size])
    return suggestion


def _may_trim(after: str, suggestion: Suggestion) -> bool:
    return suggestion.parses is False or not set(after) <= _CLOSERS
