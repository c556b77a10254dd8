"""Drop a suggestion the model itself does not believe in, when nobody asked for one.

The limit is `inline.minConfidence`. Whoever asks by key wants to see what there is, however
unlikely.
"""

from __future__ import annotations

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings


def drop_unlikely(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if around.automatic and suggestion.score < around.min_confidence:
        return Drop(f"confidence {suggestion.score:.2f}, {around.min_confidence:.2f} wanted")
    return suggestion
