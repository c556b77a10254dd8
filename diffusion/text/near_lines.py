"""A context in two parts: the lines just above the hole, and everything farther away.

Job: settle where the near lines begin and lay out both parts. The far part is laid out as if the
hole began where the near lines do, so it knows nothing of them; the near lines are read with the
far part at hand (`model.extended_context`), and with them the first tokens behind the hole, which
they change most. Whoever types line after line then keeps the far part for `STRIDE` lines (half as
many, or a quarter, where these lines are long), and a new line costs the reading of a few lines
instead of all. On the first of them nothing is near, and the far part is its whole context.

Invariants: both parts are functions of the document and the hole, not of what was asked before;
the far part is the same for all holes on the lines n * STRIDE to n * STRIDE + STRIDE - 1 that
differ in the near lines only, where none has too many near tokens.
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
SURELY_NEAR = 96
"""So many bytes of near lines are not too many at a budget of 480, which is what is served: a token
has one byte at least."""
_TOKEN_BYTES = 8
"""More than tokens have in any text that somebody writes; `window_around` looks as far."""


@dataclass(frozen=True, slots=True)
class ContextInParts:
    """`far` has its hole where the near lines begin; its first `before` tokens stand before it.

    It is all there is to read where nothing is near.
    """

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

    None where there cannot be near lines: where the line above is too long, and another part would
    do for this line only, or where the canvas does not begin at the end of a line. However long a
    line is, no more of it is tokenized than `budget` tokens may have.
    """
    most = budget // _NEAR_SHARE
    near = _near(tokenizer, data, placement.anchor, most)
    if near is None:
        return None
    begin, near_ids = near
    hole = Placement(begin, placement.end, (), b"")
    # The same window for all lines that share it, the one without near lines among them.
    window = window_around(tokenizer, data, hole, budget - most // 2)
    far = lay_out(tokenizer, data, window, [hole], language)
    before = sum(position < far.hole_positions[0] for position in far.positions)
    return ContextInParts(far, before, near_ids)


def share_far(one: bytes, one_cursor: int, other: bytes, other_cursor: int) -> bool:
    """Whether holes at two cursors have the same far part; no tokenizer is asked.

    A no may be wrong: of near lines above `SURELY_NEAR` bytes nobody knows whether they are too
    many. So it is yes for the same line, whatever is typed on it, and for the lines just after a
    boundary, where somebody who types has the far part encoded. A yes holds for canvases that begin
    at the end of a line, as all do but those behind very long lines and words.
    """
    if one[one_cursor:] != other[other_cursor:]:
        return False
    anchor, other_anchor = _line_end(one, one_cursor), _line_end(other, other_cursor)
    if one[:anchor] == other[:other_anchor]:
        return True
    if one[one_cursor : one_cursor + 1] not in b"\r\n":
        return False  # before code, a line end is implied for some (`text.implied_newline`)
    begin, other_begin = _boundary(one, anchor, STRIDE), _boundary(other, other_anchor, STRIDE)
    if max(anchor - begin, other_anchor - other_begin) > SURELY_NEAR:
        return False
    return one[:begin] == other[:other_begin]


def _near(
    tokenizer: Tokenizer, data: bytes, anchor: int, most: int
) -> tuple[int, tuple[int, ...]] | None:
    """The line end behind which the near lines begin, and their tokens, at most `most`.

    The start of the document is such a line end. None as for `in_parts`.
    """
    if anchor and not data.startswith((b"\n", b"\r\n"), anchor):
        return None
    stride = STRIDE
    while stride > 1:
        begin = _boundary(data, anchor, stride)
        if anchor - begin <= most * _TOKEN_BYTES:
            ids = tokenizer.encode(data[begin:anchor])
            if len(ids) <= most:
                return begin, tuple(ids)
        stride //= 2
    return None


def _boundary(data: bytes, anchor: int, stride: int) -> int:
    """The line end, at or before the one at `anchor`, behind which a line n * `stride` begins."""
    begin = anchor
    for _ in range((data.count(b"\n", 0, anchor) + 1) % stride):
        begin = _line_end(data, begin)
    return begin


def _line_end(data: bytes, at: int) -> int:
    """Where the line end before `at` begins, or the document."""
    end = max(0, data.rfind(b"\n", 0, at))
    return end - 1 if end > 0 and data.startswith(b"\r\n", end - 1) else end
