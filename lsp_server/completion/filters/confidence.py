"""Drop a suggestion the model itself does not believe in (`inline.minConfidence`)."""

from __future__ import annotations

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings


def drop_unlikely(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if suggestion.score < around.min_confidence:
        return Drop(f"confidence {suggestion.score:.2f}, {around.min_confidence:.2f} wanted")
    return suggestion
