"""Several holes filled together: the step loop over drafts instead of rows.

A *draft* fills every hole, with one canvas for each; drafts differ in the lengths of their
canvases. The canvases of a draft see the text on each other, so that what is written in one hole
is known in the others at the next step. A `JointOrder` says which of them move in a step: all, or
the surest one and those that are as good as certain, so that two holes that must say the same name
do not choose in the same step, each without the other.

Invariants: those of `process.sampler`, for every canvas; drafts do not influence each other but
by the deadline and `race_nats`, which counts a whole draft here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import torch

from diffusion.cancel import CancelToken
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.denoiser import Denoise
from diffusion.process.row import Row
from diffusion.process.run import Run
from diffusion.process.sampler import work_off
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import Proposals
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import PAD

TOGETHER_P = 0.9
"""A canvas that is not the surest of its draft moves too, if its proposal is this probable."""


class JointDenoise(Protocol):
    """One denoising pass over canvases of several holes that share one context."""

    def __call__(
        self,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
        holes_B: torch.Tensor,
        drafts_B: torch.Tensor,
        /,
    ) -> torch.Tensor:
        """As `Denoise`; row b is the canvas of hole `holes_B[b]` in draft `drafts_B[b]`.

        Finished canvases of a draft that is not finished come along, with nothing wanted.
        """
        ...


@dataclass(frozen=True, slots=True)
class JointOrder:
    """Which canvases of a draft move in a step. `together_p` 0: all; above 1: one at a time."""

    together_p: float = TOGETHER_P


@torch.inference_mode()
def sample_jointly(
    denoise: JointDenoise,
    drafts: Sequence[Sequence[CanvasState]],
    config: SamplerConfig,
    *,
    vocabulary: Vocabulary,
    order: JointOrder = JointOrder(),
    cancel: CancelToken | None = None,
    deadline_s: float | None = None,
    on_step: Callable[[StepSnapshot], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[tuple[CanvasResult, ...]]:
    """Fill every hole of every draft; see `sample`, whose arguments these are.

    Every draft has one canvas for each hole, in the order of the holes. `config.remask` is not
    used.
    """
    run = _JointRun(denoise, drafts, config, vocabulary, order, on_step)
    work_off(run, cancel=cancel, deadline_s=deadline_s, clock=clock)
    results = iter([row.result() for row in run.rows])
    return [tuple(next(results) for _ in draft) for draft in drafts]


class _JointRun(Run):
    """The rows of all drafts, draft by draft."""

    def __init__(
        self,
        denoise: JointDenoise,
        drafts: Sequence[Sequence[CanvasState]],
        config: SamplerConfig,
        vocabulary: Vocabulary,
        order: JointOrder,
        on_step: Callable[[StepSnapshot], None] | None,
    ) -> None:
        self._joint = denoise
        self._order = order
        self._places = [(d, h) for d, draft in enumerate(drafts) for h in range(len(draft))]
        canvases = list(chain.from_iterable(drafts))
        super().__init__(_never, canvases, config, vocabulary, on_step)
        self._rescored = True

    def _rows_of(self, draft: int) -> list[Row]:
        return [row for row in self.rows if self._places[row.index][0] == draft]

    def _bound(self, rows: Sequence[Row]) -> Denoise:
        """The joint denoiser over `rows` and the finished canvases beside them."""
        at_work = {row.index for row in rows}
        unfinished = {self._places[index][0] for index in at_work}
        beside = [
            row
            for row in self.rows
            if row.index not in at_work and self._places[row.index][0] in unfinished
        ]
        drafts, holes = zip(*(self._places[row.index] for row in (*rows, *beside)), strict=True)

        def denoise(
            ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor, /
        ) -> torch.Tensor:
            lengths = [*lengths_B.tolist(), *(len(row.ids) for row in beside)]
            wider = torch.full((len(lengths), max(lengths)), PAD)
            wider[: len(rows), : ids_BN.shape[1]] = ids_BN
            for b, row in enumerate(beside, start=len(rows)):
                wider[b, : len(row.ids)] = torch.tensor(row.ids)
            wanted = torch.zeros(wider.shape, dtype=torch.bool)
            wanted[: len(rows), : ids_BN.shape[1]] = wanted_BN
            return self._joint(
                wider, torch.tensor(lengths), wanted, torch.tensor(holes), torch.tensor(drafts)
            )

        return denoise

    def _moving(self, rows: Sequence[Row], proposals: Sequence[Proposals]) -> set[int]:
        surest: dict[int, tuple[float, int]] = {}
        moving: set[int] = set()
        for row, proposal in zip(rows, proposals, strict=True):
            draft = self._places[row.index][0]
            sure = (proposal.p[0], -row.index)
            surest[draft] = max(surest.get(draft, sure), sure)
            if proposal.p[0] > self._order.together_p:
                moving.add(row.index)
        return moving | {-index for _, index in surest.values()}

    def _drop_hopeless(self) -> None:
        """A draft with a hole that cannot be filled is given up whole."""
        super()._drop_hopeless()
        for draft in {self._places[row.index][0] for row in self._open()}:
            rows = self._rows_of(draft)
            if any(row.reason == "constraint" for row in rows):
                self._cut(rows)

    def _drop_outrun(self) -> None:
        if self.config.race_nats is None:
            return
        sums: dict[int, float] = {}
        unfinished: set[int] = set()
        for row in self.rows:
            draft = self._places[row.index][0]
            sums[draft] = sums.get(draft, 0.0) + row.sum_log_p
            if row.reason not in ("ended", "full"):
                unfinished.add(draft)
        finished = [total for draft, total in sums.items() if draft not in unfinished]
        for draft in {self._places[row.index][0] for row in self._open()}:
            if finished and sums[draft] < max(finished) - self.config.race_nats:
                self._cut(self._rows_of(draft))

    def _cut(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.reason is None:
                row.cut("outrun")


def _never(
    ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor, /
) -> torch.Tensor:
    """In place of a denoiser of single canvases, which a joint run has no use for."""
    raise AssertionError("a joint run binds its denoiser at every step")
