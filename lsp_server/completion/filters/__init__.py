"""The filters, one per file, and the order they run in.

A filter takes a suggestion and its surroundings and gives back the suggestion, a changed one,
or a `Drop` that says why. Invariants: filters are pure, never raise for unusual text, and what
they say holds no source text. The order matters: cleaning before cutting, cutting before
comparing with the suffix, judging last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings
from lsp_server.completion.filters.duplicate_line import trim_duplicate_lines
from lsp_server.completion.filters.indentation import match_indentation
from lsp_server.completion.filters.length import limit_lines
from lsp_server.completion.filters.line_endings import match_line_endings
from lsp_server.completion.filters.multiline import limit_to_one_line
from lsp_server.completion.filters.parse_check import drop_broken_syntax
from lsp_server.completion.filters.repetition import stop_repetition
from lsp_server.completion.filters.special_tokens import drop_special_tokens
from lsp_server.completion.filters.suffix_overlap import trim_suffix_overlap
from lsp_server.completion.filters.whitespace import trim_whitespace

Filter = Callable[[Suggestion, Surroundings], Suggestion | Drop]

FILTERS: Final[tuple[Filter, ...]] = (
    drop_special_tokens,
    match_line_endings,
    stop_repetition,
    limit_to_one_line,
    limit_lines,
    trim_duplicate_lines,
    trim_suffix_overlap,
    match_indentation,
    trim_whitespace,
    drop_broken_syntax,
)


def run(suggestion: Suggestion, around: Surroundings) -> tuple[Suggestion | Drop, str]:
    """The suggestion after all filters, or the `Drop` and the name of the filter that said so."""
    for step in FILTERS:
        outcome = step(suggestion, around)
        if isinstance(outcome, Drop):
            return outcome, step.__name__
        if outcome.text != suggestion.text:
            outcome = replace(outcome, parses=None)
        suggestion = outcome
    return suggestion, ""
