"""Drafts: what stands in the holes while they are being unmasked, as text with gaps.

Job: read a sampler's snapshots as text, for whoever wants to watch an answer come about. Of
several canvases that are filled side by side the one that has got furthest is shown; it need not
be the one that wins, and what comes last (agreement, repair, the order of the candidates) is seen
in the answer alone.

Invariants: a draft has every hole of its request; text in it is whole characters; the shown
canvases change only for others that have got further.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from diffusion.text.canvas import Placement
from diffusion.text.parts import Part, Span
from diffusion.text.tokenizer import DEL, MASK, Tokenizer

if TYPE_CHECKING:
    from diffusion.process.canvas_state import StepSnapshot

Piece = str | int
"""Text, or how many slots are open there; 0 where it is not known yet."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The pieces of every hole, and the share of all canvases' slots that is filled, 0 to 1."""

    holes: tuple[tuple[Piece, ...], ...]
    done: float


OnDraft = Callable[[Draft], None]
OnPieces = Callable[[Sequence[Sequence[Piece]], float], None]
"""Hears the pieces of every canvas of a draft, and how far it is."""


@dataclass(slots=True)
class CanvasWatch:
    """A sampler's `on_step`: tells the pieces of the canvases that have got furthest.

    The rows of a snapshot are those of one draft after the other, each with a canvas for every
    one of `placements`.
    """

    tokenizer: Tokenizer
    placements: Sequence[Placement]
    tell: OnPieces
    _shown: int = field(default=0, init=False)

    def __call__(self, snapshot: StepSnapshot) -> None:
        holes = len(self.placements)
        drafts = [snapshot.ids[at : at + holes] for at in range(0, len(snapshot.ids), holes)]
        done = [self._done(draft) for draft in drafts]
        if self._shown >= len(drafts) or max(done) > done[self._shown]:
            self._shown = done.index(max(done))
        pieces = [
            pieces_of(self.tokenizer, ids[len(place.pins) :], place.constraint)
            for ids, place in zip(drafts[self._shown], self.placements, strict=True)
        ]
        self.tell(pieces, sum(done) / len(done))

    def _done(self, draft: Sequence[Sequence[int]]) -> float:
        """The share of a draft's slots that is filled; what comes after a DEL is."""
        filled = slots = 0
        for ids, place in zip(draft, self.placements, strict=True):
            slots += len(ids) - len(place.pins)
            filled += sum(token != MASK for token in ids[len(place.pins) :])
        return filled / max(1, slots)


def pieces_of(tokenizer: Tokenizer, slots: Sequence[int], constraint: bytes) -> tuple[Piece, ...]:
    """What slots say up to the first DEL, less the `constraint` that they begin with."""
    kept = list(slots[: slots.index(DEL)]) if DEL in slots else list(slots)
    pieces: list[Piece] = []
    at = 0
    while at < len(kept):
        end = at
        while end < len(kept) and (kept[end] == MASK) == (kept[at] == MASK):
            end += 1
        if kept[at] == MASK:
            pieces.append(end - at)
        else:
            text = tokenizer.decode(kept[at:end])
            if at == 0:
                text = text.removeprefix(constraint) if len(text) >= len(constraint) else b""
            pieces.append(text.decode("utf-8", "ignore"))
        at = end
    return tuple(piece for piece in pieces if piece != "")


@dataclass(frozen=True, slots=True)
class Outline:
    """The holes of a document and the parts that they are filled in."""

    data: bytes
    holes: tuple[Span, ...]
    parts: tuple[Part, ...]

    def draft(
        self, texts: Sequence[bytes], pieces: Sequence[Sequence[Piece]], done: float
    ) -> Draft:
        """A draft in which the first parts have `texts`, and those that follow `pieces`."""
        said: list[Sequence[Piece]] = [(text.decode("utf-8", "ignore"),) for text in texts]
        said += pieces
        said += [(0,)] * (len(self.parts) - len(said))
        holes: list[tuple[Piece, ...]] = []
        for number, (start, end) in enumerate(self.holes):
            found: list[Piece] = []
            at = start
            for part, new in zip(self.parts, said, strict=True):
                if part.hole == number:
                    found += [self._text(at, part.start), *new]
                    at = part.end
            holes.append(joined([*found, self._text(at, end)]))
        filled = len(texts) + done * len(pieces)
        return Draft(tuple(holes), filled / max(1, len(self.parts)))

    def teller(self, on_draft: OnDraft, texts: Sequence[bytes] = ()) -> OnPieces:
        """What makes drafts of the pieces of the parts that follow those that have `texts`."""

        def tell(pieces: Sequence[Sequence[Piece]], done: float) -> None:
            on_draft(self.draft(texts, pieces, done))

        return tell

    def _text(self, start: int, end: int) -> str:
        return self.data[start:end].decode("utf-8", "ignore")


def joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Pieces with neighbouring texts put together, and without empty ones."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return tuple(found)
