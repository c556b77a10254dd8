"""The forward cache: suggestions that stay right while the user types along them.

An entry holds the text a suggestion was made for. It answers a later request whose document is
that text with a beginning of the suggestion typed in at the hole, and nothing else changed; the
answer is the rest of the suggestion, scored as one that is right up to there.

Invariants: a hit replaces the same bytes as a fresh answer would; what is answered is more than
blanks within a line; who asks by key does not get what was left for one who did not (fewer texts,
perhaps without the model); entries are dropped oldest first, and hold no syntax tree; what began
before something was forgotten is not kept, since it may be what another model or other settings
say.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.confidence import likelihood, without_start
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import to_bytes, to_text

ENTRIES = 16


@dataclass(frozen=True, slots=True)
class _Entry:
    uri: str
    data: bytes
    suggestions: tuple[Suggestion, ...]
    alternatives: int
    automatic: bool


class ForwardCache:
    """The last answers, of all documents of one client."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries: deque[_Entry] = deque(maxlen=entries)
        self.generation = 0
        """Grows whenever something is forgotten."""

    def store(
        self, request: CompletionRequest, suggestions: tuple[Suggestion, ...], generation: int
    ) -> None:
        """Keep what was shown for a request that began in a generation."""
        if suggestions and generation == self.generation:
            self._entries.append(
                _Entry(
                    request.document.uri, request.document.data, suggestions,
                    request.alternatives, request.automatic,
                )
            )  # fmt: skip

    def lookup(self, request: CompletionRequest) -> tuple[Suggestion, ...]:
        """What is left of the newest answer that the user has been typing along, else nothing."""
        for entry in reversed(self._entries):
            if entry.uri != request.document.uri:
                continue
            if entry.alternatives < request.alternatives:
                continue
            if entry.automatic and not request.automatic:
                continue
            rest = tuple(filter(None, (_rest(s, entry, request) for s in entry.suggestions)))
            if rest:
                return rest
        return ()

    def forget(self, uri: str | None = None) -> None:
        """Drop the entries of a document; of all without one (settings or model changed)."""
        self.generation += 1
        kept = [] if uri is None else [e for e in self._entries if e.uri != uri]
        self._entries = deque(kept, maxlen=self._entries.maxlen)


def _rest(suggestion: Suggestion, entry: _Entry, request: CompletionRequest) -> Suggestion | None:
    """What remains of a suggestion at the cursor, None where the texts do not fit."""
    old, new, start = entry.data, request.document.data, suggestion.start
    typed = request.cursor - start
    if typed < 0 or len(new) != len(old) + typed:
        return None
    text = to_bytes(suggestion.text)
    if typed >= len(text) or new[start : request.cursor] != text[:typed]:
        return None
    if new[:start] != old[:start] or new[request.cursor :] != old[start:]:
        return None
    rest = to_text(text[typed:])
    if not rest.strip(" \t"):  # a line break is something: what stands behind goes below
        return None
    characters = len(suggestion.text) - len(rest)
    p = likelihood(suggestion.pieces, characters)
    score = min(1.0, suggestion.score / p) if p > 0 else suggestion.score
    return replace(
        suggestion, text=rest, start=request.cursor, end=suggestion.end + typed, score=score,
        pieces=without_start(suggestion.pieces, characters),
    )  # fmt: skip
