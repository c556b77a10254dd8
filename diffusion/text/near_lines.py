"""A context in two parts: the lines just above the hole, and everything farther away.

Job: settle where the near lines begin and lay out both parts. The far part is laid out as if the
hole began where the near lines do, so it knows nothing of them; the near lines are read with the
far part at hand (`model.extended_context`), and with them the first tokens behind the hole, which
they change most. Whoever types line after line then keeps the far part for up to `STRIDE` lines,
and a new line costs the reading of a few lines instead of all.

Invariants: both parts are functions of the document and the hole, not of what was asked before;
the far part is the same for all holes on the lines n * STRIDE to n * STRIDE + STRIDE - 1 that
differ in the near lines only.
"""

from __future__ import annotations

from dataclasses import dataclass

from diffusion.text.canvas import Context, Placement, lay_out, window_around
from diffusion.text.tokenizer import Tokenizer

STRIDE = 8
"""Every so many lines, near lines may begin; a power of two."""
READ_AGAIN = 16
"""Tokens behind the hole that are read again with the near lines."""
_NEAR_SHARE = 5
"""At most one token of so many is near."""


@dataclass(frozen=True, slots=True)
class ContextInParts:
    """`far` has its hole where the near lines begin; its first `before` tokens stand before it."""

    far: Context
    before: int
    near_ids: tuple[int, ...]

    @property
    def kept_after(self) -> int:
        """From which token on the far part's end is kept; those before it are read again."""
        return min(self.before + READ_AGAIN, len(self.far.ids))

    @property
    def moved(self) -> int:
        """By how many positions what stands behind the hole moves."""
        return len(self.near_ids)

    @property
    def read_ids(self) -> tuple[int, ...]:
        """What is read on top of the far part: the near lines, and the first tokens behind."""
        return self.near_ids + self.far.ids[self.before : self.kept_after]

    @property
    def read_positions(self) -> tuple[int, ...]:
        """Where `read_ids` stand in the whole."""
        near, behind = self._positions()
        return (*near, *behind[: self.kept_after - self.before])

    def whole(self) -> Context:
        """Both parts together, laid out as one context is."""
        far, (near, behind) = self.far, self._positions()
        return Context(
            far.ids[: self.before] + self.near_ids + far.ids[self.before :],
            (*far.positions[: self.before], *near, *behind),
            (near.stop,),
        )

    def _positions(self) -> tuple[range, list[int]]:
        start = self.far.hole_positions[0]
        behind = [at + self.moved for at in self.far.positions[self.before :]]
        return range(start, start + self.moved), behind


def in_parts(
    tokenizer: Tokenizer, data: bytes, placement: Placement, language: str, budget: int
) -> ContextInParts | None:
    """The context of one hole in two parts, of about `budget` tokens together.

    None where there are no near lines: at the first line after such a boundary, where they would
    be too long, or where the canvas does not begin at the end of a line.
    """
    most = budget // _NEAR_SHARE
    begin = _begin(tokenizer, data, placement.anchor, most)
    if begin == placement.anchor:
        return None
    hole = Placement(begin, placement.end, (), b"")
    window = window_around(tokenizer, data, hole, budget - most // 2)
    far = lay_out(tokenizer, data, window, [hole], language)
    before = sum(position < far.hole_positions[0] for position in far.positions)
    return ContextInParts(far, before, tuple(tokenizer.encode(data[begin : placement.anchor])))


def _begin(tokenizer: Tokenizer, data: bytes, anchor: int, most: int) -> int:
    """The line end behind which the near lines begin, of at most `most` tokens.

    `anchor` if there are none.
    """
    if not data.startswith((b"\n", b"\r\n"), anchor):
        return anchor
    line = data.count(b"\n", 0, anchor) + 1
    stride = STRIDE
    while stride > 1:
        begin = anchor
        for _ in range(line % stride):
            begin = max(0, data.rfind(b"\n", 0, begin))
        if begin > 0 and data.startswith(b"\r\n", begin - 1):
            begin -= 1
        if len(tokenizer.encode(data[begin:anchor])) <= most:
            return begin
        stride //= 2
    return anchor
