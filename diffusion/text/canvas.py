"""The layout that the model sees: context tokens, gaps, and the canvas in each gap.

Job: bytes and holes in, token ids and positions out; and back. Training (`data.batches`) and
serving (`infill`) both lay out their documents here and nowhere else.

A canvas is anchored at a line: it begins at the newline before the line that holds the start of
the hole, so what is typed of that line is pinned on the canvas, and typing never changes the
context. After the pins come slots; trailing DEL ids say that the hole ended earlier.

Invariants:
- Context ids and positions depend on the anchor and the end of each hole, never on what is
  typed, on the number of slots, or on what they hold.
- Positions: `0..p-1` before a hole, its canvas from `p`, the text after it from `p + GAP`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from diffusion.errors import CanvasError
from diffusion.text.healing import heal
from diffusion.text.tokenizer import BOF, DEL, EOF, MASK, Tokenizer, pretoken_ends

MAX_CANVAS = 128
"""Most tokens on a canvas, pins and slots together."""
GAP = MAX_CANVAS
"""Positions that every hole takes, whatever the length of its canvas."""
MAX_PINS = 48
"""Most typed tokens kept on a canvas; what stands further left on the line is context."""
_MAX_TYPED_BYTES = 2048
_MOST_FOREIGN_TOKENS = 8
"""Words of other scripts have about a token a byte: a longer one would leave no slot for more, so
that what is typed is context."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One hole in terms of the canvas: context ends at byte `anchor` and resumes at `end`."""

    anchor: int
    end: int
    pins: tuple[int, ...]
    constraint: bytes

    def slots_needed(self, tokenizer: Tokenizer, middle: bytes) -> tuple[int, ...]:
        """The ids that the slots hold when the hole is filled with `middle`."""
        return tuple(tokenizer.encode(self.constraint + middle))


@dataclass(frozen=True, slots=True)
class Context:
    """Clean tokens around the holes. `hole_positions[k]` is where canvas `k` begins."""

    ids: tuple[int, ...]
    positions: tuple[int, ...]
    hole_positions: tuple[int, ...]


def place(tokenizer: Tokenizer, data: bytes, start: int, end: int, *, floor: int = 0) -> Placement:
    """Anchor the hole `[start, end)` of `data` (bytes) and split what is typed before it.

    `floor`: where the hole before it ends, if that is on the same line; the canvas begins no
    earlier.
    """
    if not 0 <= start <= end <= len(data):
        raise CanvasError(f"hole {start}..{end} lies outside the document of {len(data)} bytes")
    anchor = data.rfind(b"\n", 0, start)
    if anchor < 0:
        anchor = 0
    elif anchor > 0 and data[anchor - 1 : anchor] == b"\r":
        anchor -= 1
    anchor = max(anchor, start - _MAX_TYPED_BYTES, floor)
    pins, constraint = heal(tokenizer, data[anchor:start])
    if len(pins) > MAX_PINS or len(constraint) > MAX_CANVAS // 2:
        anchor = _later_anchor(tokenizer, data, anchor, start)
        pins, constraint = heal(tokenizer, data[anchor:start])
    if not constraint.isascii() and len(tokenizer.encode(constraint)) > _MOST_FOREIGN_TOKENS:
        return Placement(start, end, (), b"")
    return Placement(anchor, end, pins, constraint)


def _later_anchor(tokenizer: Tokenizer, data: bytes, anchor: int, start: int) -> int:
    """The first pretoken boundary from which what is typed fits the canvas."""
    bounds = [anchor + e for e in pretoken_ends(data[anchor:start])][:-1]
    if bounds and start - bounds[-1] > MAX_CANVAS // 2:
        return start
    kept = 0
    chosen = start
    for low, high in reversed(list(pairwise(bounds))):
        kept += len(tokenizer.encode(data[low:high]))
        if kept > MAX_PINS:
            break
        chosen = low
    if chosen == start and bounds and start - bounds[-1] <= MAX_CANVAS // 2:
        chosen = bounds[-1]
    return chosen


def lay_out(
    tokenizer: Tokenizer,
    data: bytes,
    window: tuple[int, int],
    placements: Sequence[Placement],
    language: str,
) -> Context:
    """Tokens and positions of everything in the byte `window` that no canvas covers.

    Placements must be in order and apart. Raises CanvasError otherwise.
    """
    ids = [tokenizer.language_id(language)]
    if window[0] == 0:
        ids.append(BOF)
    positions = list(range(len(ids)))
    hole_positions: list[int] = []
    cursor, shift = window[0], 0
    for placement in placements:
        if not cursor <= placement.anchor <= placement.end <= window[1]:
            raise CanvasError(
                f"hole at bytes {placement.anchor}..{placement.end} overlaps the one before it or "
                f"leaves the window {window[0]}..{window[1]}"
            )
        _extend(ids, positions, tokenizer.encode(data[cursor : placement.anchor]), shift)
        hole_positions.append(len(ids) + shift)
        shift += GAP
        cursor = placement.end
    _extend(ids, positions, tokenizer.encode(data[cursor : window[1]]), shift)
    if window[1] == len(data):
        _extend(ids, positions, [EOF], shift)
    return Context(tuple(ids), tuple(positions), tuple(hole_positions))


def _extend(ids: list[int], positions: list[int], more: Sequence[int], shift: int) -> None:
    positions.extend(range(len(ids) + shift, len(ids) + shift + len(more)))
    ids.extend(more)


def window_around(
    tokenizer: Tokenizer, data: bytes, placement: Placement, budget: int, suffix_share: float = 0.35
) -> tuple[int, int]:
    """The byte window for one hole: about `budget` tokens, cut at line starts.

    The suffix gets `suffix_share` of the budget; what one side leaves over goes to the other.
    """
    reach = budget * 8
    before = data[max(0, placement.anchor - reach) : placement.anchor]
    after = data[placement.end : placement.end + reach]
    before_ends = tokenizer.encode_with_ends(before)[1]
    after_ends = tokenizer.encode_with_ends(after)[1]
    for_suffix = min(len(after_ends), int(budget * suffix_share))
    for_prefix = min(len(before_ends), budget - for_suffix)
    for_suffix = min(len(after_ends), budget - for_prefix)

    start = placement.anchor - len(before)
    if for_prefix < len(before_ends) or start > 0:
        dropped = len(before_ends) - for_prefix
        start += _line_start(before, before_ends[dropped - 1] if dropped else 0)
    end = placement.end + len(after)
    if for_suffix < len(after_ends) or end < len(data):
        kept = after_ends[for_suffix - 1] if for_suffix else 0
        end = placement.end + _line_end(after, kept)
    return start, end


def _line_start(text: bytes, at: int) -> int:
    """The first newline at or after `at`; without one, `at` itself."""
    found = text.find(b"\n", at)
    if found > 0 and text[found - 1 : found] == b"\r":
        found -= 1
    return found if found >= 0 else at


def _line_end(text: bytes, at: int) -> int:
    """The last newline at or before `at`, but for one at the start; without one, `at` itself."""
    found = text.rfind(b"\n", 0, at)
    if found > 0 and text[found - 1 : found] == b"\r":
        found -= 1
    return found if found > 0 else at


def canvas_ids(pins: Sequence[int], slots: int) -> tuple[int, ...]:
    """A canvas with every slot masked. Raises CanvasError if it is longer than MAX_CANVAS."""
    if slots < 1 or len(pins) + slots > MAX_CANVAS:
        raise CanvasError(
            f"{len(pins)} pins and {slots} slots do not fit a canvas of 1..{MAX_CANVAS} tokens; "
            "ask for fewer slots"
        )
    return (*pins, *([MASK] * slots))


def constrained_slots(tokenizer: Tokenizer, slot_ids: Sequence[int], constraint: bytes) -> int:
    """How many of the first slots hold a byte of the constraint."""
    slots, left = 0, len(constraint)
    while left > 0 and slots < len(slot_ids):
        left -= len(tokenizer.token_bytes(slot_ids[slots]))
        slots += 1
    return slots


def read_back(tokenizer: Tokenizer, slot_ids: Sequence[int], constraint: bytes) -> bytes:
    """The text that the slots put into the hole: up to the first DEL or MASK, less the constraint.

    Raises CanvasError if the slots do not spell the constraint.
    """
    kept = []
    for token in slot_ids:
        if token in (DEL, MASK):
            break
        kept.append(token)
    text = tokenizer.decode(kept)
    if not text.startswith(constraint):
        raise CanvasError(f"slots spell {text[:40]!r}, which does not begin with {constraint!r}")
    return text[len(constraint) :]
