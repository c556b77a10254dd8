"""How far a suggestion goes, and whether it is worth the look of somebody who types.

A line is often right up to some place and a guess behind it. Ghost text that is taken with one key
is worth the characters that it saves if all of it is right, and costs a look, and a key to be rid
of it, if it is not. So of all starts of the best suggestion, and of the whole, the one with the
highest expected gain is shown, if that is a gain at all (maximising expected utility over what the
user may mean: Johnson et al. 2023, "R-U-SURE?", arXiv 2303.00732). The rest is not lost: it stays
in the forward cache, and comes when the start is accepted or typed.

How likely a start is to be right is the product of its tokens' probabilities; for the whole it is
the suggestion's score. Both were found to be true to what happens (docs/decisions/0024).

Who asks by key, a list, and `inline.extent: "whole"` get suggestions as they are.

Invariants: what is shown is the beginning of a suggestion, or one as it is; a start ends where no
word goes on, neither the suggestion's nor the document's, and replaces nothing (so a suggestion
that would replace words, or that ends its line, is shown whole or not at all); pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.confidence import without_end
from lsp_server.completion.trigger import CompletionRequest, goes_on, is_word
from lsp_server.settings import Settings

WRONG_COSTS = 4.0
"""Characters that a wrong suggestion costs; how it was chosen is in docs/decisions/0024."""
FEWEST = 3
"""Characters that a start has at least, blanks aside."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is shown, and why the others, by their place, are not.

    `start_of`: how many characters the suggestion has that the first one is a start of.
    """

    shown: tuple[Suggestion, ...] = ()
    dropped: dict[int, Drop] = field(default_factory=dict)
    start_of: int | None = None


def choose(
    suggestions: Sequence[Suggestion], request: CompletionRequest, settings: Settings
) -> Chosen:
    """What of these, best first, is shown to who asked."""
    if not request.automatic:
        return Chosen(tuple(suggestions))
    least = settings.inline.min_confidence
    dropped = {
        place: Drop(f"confidence {suggestion.score:.2f}, {least:.2f} wanted")
        for place, suggestion in enumerate(suggestions)
        if suggestion.score < least
    }
    likely = [s for place, s in enumerate(suggestions) if place not in dropped]
    if not request.sure or not suggestions:
        return Chosen(tuple(likely), dropped)
    first = worth_showing(suggestions[0], least, _right_of(suggestions[0], request.document.data))
    if first is None:
        score = suggestions[0].score
        whole = f"confidence {score:.2f}" if score > 0.0 else "it was too unlikely to be finished"
        why = Drop(f"no start of it is worth a look, {whole}")
        behind = dict.fromkeys(range(1, len(suggestions)), Drop("stands behind one that is not"))
        return Chosen(dropped={**behind, **dropped, 0: why})
    dropped.pop(0, None)
    length = len(suggestions[0].text)
    others = (suggestion for suggestion in likely if suggestion.text != first.text)
    shown = (first, *others)[: max(request.alternatives, 1)]
    return Chosen(shown, dropped, None if len(first.text) == length else length)


def worth_showing(
    suggestion: Suggestion, least: float = 0.0, right: str = ""
) -> Suggestion | None:
    """The start, or the whole, of the highest expected gain; None where none gains.

    `least`: the smallest probability of being right that is wanted. `right`: what the document has
    where the suggestion would go in: all that it replaces, and a character more.
    """
    best = suggestion if suggestion.score >= least else None
    gain = _gain(suggestion.text, suggestion.score) if best is not None else 0.0
    for length, p in _starts(suggestion, right):
        text = suggestion.text[:length].rstrip()
        if p >= least and len(text.lstrip()) >= FEWEST and _gain(text, p) > gain:
            gain = _gain(text, p)
            best = replace(
                suggestion, text=text, end=suggestion.start, score=p, parses=None,
                pieces=without_end(suggestion.pieces, len(text)),
            )  # fmt: skip
    return best if gain > 0.0 else None


def _gain(text: str, p: float) -> float:
    """Expected characters saved; what is left of a text may be a line break, which is a key."""
    return p * max(len(text.strip()), 1) - (1.0 - p) * WRONG_COSTS


def _right_of(suggestion: Suggestion, data: bytes) -> str:
    """What a suggestion replaces, and the character behind it, which is a line end at the end."""
    following = data[suggestion.end : suggestion.end + 4].decode("utf-8", "replace")[:1] or "\n"
    return data[suggestion.start : suggestion.end].decode("utf-8", "replace") + following


def _starts(suggestion: Suggestion, right: str) -> Iterator[tuple[int, float]]:
    """Where a suggestion may end before its end, and how likely it is right up to there."""
    if any(is_word(character) for character in right[:-1]):
        return
    if suggestion.text.endswith(("\n", "\r")):  # lines above a line: a start would run into it
        return
    text, at, p = suggestion.text, 0, 1.0
    for piece in suggestion.pieces:
        if piece.p is None:
            return
        at, p = at + len(piece.text), p * piece.p
        if at == len(text):
            return
        last, following = text[at - 1], (text[at], right[:1])
        if not any(goes_on(last, character) for character in following):
            yield at, p
