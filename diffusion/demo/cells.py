"""One run of the sampler as things to draw: frames of rows of cells.

A `Recorder` is the sampler's `on_step`; it only notes what happened and when, so watching a
run does not slow it down. Drawing happens afterwards, from the frames.

Invariant: every frame has the same rows, and a row one cell per canvas token. A token that was
there from the start is a pin; one that the sampler committed carries its probability.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from diffusion.text.tokenizer import DEL, MASK

if TYPE_CHECKING:
    from diffusion.candidates import TokenScore
    from diffusion.process.canvas_state import StepSnapshot


class CellState(Enum):
    """What a canvas token is at one moment."""

    PINNED = "pinned"
    MASKED = "masked"
    COMMITTED = "committed"
    ENDED = "ended"
    """A DEL: the hole ended before this token."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One canvas token at one moment; `p` is the probability it was committed with."""

    data: bytes
    state: CellState
    p: float = 1.0


Row = tuple[Cell, ...]
Frame = tuple[Row, ...]


@dataclass(slots=True)
class Recorder:
    """Notes every step of one run, with the milliseconds since the recorder was made."""

    snapshots: list[StepSnapshot] = field(default_factory=list)
    elapsed_ms: list[float] = field(default_factory=list)
    _started_s: float = field(default_factory=time.perf_counter)

    def __call__(self, snapshot: StepSnapshot) -> None:
        self.elapsed_ms.append((time.perf_counter() - self._started_s) * 1000)
        self.snapshots.append(snapshot)

    @property
    def step_ms(self) -> float:
        """The median time from one step to the next; 0 with fewer than two steps."""
        gaps = sorted(b - a for a, b in zip(self.elapsed_ms, self.elapsed_ms[1:], strict=False))
        return gaps[len(gaps) // 2] if gaps else 0.0

    @property
    def before_steps_ms(self) -> float:
        """What passed before the first step began: parsing and encoding the context.

        The time until the first step ended, less one typical step.
        """
        return max(0.0, self.elapsed_ms[0] - self.step_ms) if self.elapsed_ms else 0.0


def frames(recorder: Recorder, token_bytes: Callable[[int], bytes]) -> list[Frame]:
    """What the canvases looked like at the start and after every step."""
    if not recorder.snapshots:
        return []
    first = recorder.snapshots[0]
    touched = [{commit.slot for commit in row} for row in first.committed]
    start = []
    for ids, slots in zip(first.ids, touched, strict=True):
        ended = ids.index(DEL) if DEL in ids else len(ids)
        start.append(
            tuple(
                Cell(b"", CellState.MASKED)
                if token in (MASK, DEL) or i in slots or i >= ended
                else Cell(token_bytes(token), CellState.PINNED)
                for i, token in enumerate(ids)
            )
        )
    shown: list[Frame] = [tuple(start)]
    for snapshot in recorder.snapshots:
        shown.append(_after(shown[-1], snapshot, token_bytes))
    return [_with_all_rows(frame, recorder.snapshots[-1]) for frame in shown]


def _with_all_rows(frame: Frame, last: StepSnapshot) -> Frame:
    """A row that is split off later is what its parent is until then."""
    canvases = len(last.ids) - len(last.parents)
    for parent in last.parents[len(frame) - canvases :]:
        frame = (*frame, frame[parent])
    return frame


def _after(before: Frame, snapshot: StepSnapshot, token_bytes: Callable[[int], bytes]) -> Frame:
    rows = []
    known = _with_all_rows(before, snapshot)
    for old, ids, commits in zip(known, snapshot.ids, snapshot.committed, strict=True):
        p_by_slot = {commit.slot: commit.p for commit in commits}
        rows.append(
            tuple(
                _cell(cell, token, p_by_slot.get(i), token_bytes)
                for i, (cell, token) in enumerate(zip(old, ids, strict=True))
            )
        )
    return tuple(rows)


def _cell(old: Cell, token: int, p: float | None, token_bytes: Callable[[int], bytes]) -> Cell:
    if old.state is CellState.PINNED:
        return old
    if token == MASK:
        return Cell(b"", CellState.MASKED)
    if token == DEL:
        return Cell(b"", CellState.ENDED)
    return Cell(token_bytes(token), CellState.COMMITTED, old.p if p is None else p)


def quote_row(tokens: Sequence[TokenScore]) -> Row:
    """A quote as cells, each with its share of the quote's score."""
    return tuple(Cell(token.text.encode("utf-8"), CellState.COMMITTED, token.p) for token in tokens)


def row_of(frame: Frame, text: str) -> int:
    """The row whose committed text ends with `text` (its start may complete a typed word)."""
    wanted = text.encode("utf-8")
    for number, row in enumerate(frame):
        said = b"".join(cell.data for cell in row if cell.state is CellState.COMMITTED)
        if said.endswith(wanted) and (wanted or not said):
            return number
    return 0
