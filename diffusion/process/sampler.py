"""The step loop: fill several canvases on one context, a few slots per denoising pass.

One call samples one batch of rows (candidate lengths, alternatives). What a pass does stands in
`run`; this file calls one after the other until every row is closed. Cancellation and the deadline
are looked at between passes, never within one; what is filled at that moment is the answer.

Invariants:
- At most `max_steps` denoiser calls; every pass but a re-scoring one fills at least one slot in
  each row that it is run for.
- With equal inputs, equal results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from diffusion.cancel import CancelToken
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.denoiser import Denoise
from diffusion.process.overheard import Overheard
from diffusion.process.run import Run
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.vocabulary import Vocabulary


@torch.inference_mode()
def sample(
    denoise: Denoise,
    canvases: Sequence[CanvasState],
    config: SamplerConfig,
    *,
    vocabulary: Vocabulary,
    cancel: CancelToken | None = None,
    deadline_s: float | None = None,
    on_step: Callable[[StepSnapshot], None] | None = None,
    overheard: Overheard | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[CanvasResult]:
    """Fill `canvases`, which share the context that `denoise` is bound to.

    Args:
        denoise: see `Denoise`.
        canvases: may differ in length, pins and constraint.
        config: see `SamplerConfig`.
        vocabulary: of the tokenizer; build it once and keep it.
        cancel: looked at before every pass.
        deadline_s: a time of `clock`; no pass is begun that would end later if it took as long
            as the one before. The first pass is begun if the deadline has not passed.
        on_step: called after every pass with what it did.
        overheard: hears what every pass says of other texts for these slots.
        clock: seconds; `time.perf_counter` outside tests.

    Returns:
        One result per canvas, in order, then one for each row that was split off.

    Raises:
        Cancelled: `cancel` was cancelled.
        SamplerError: the denoiser returned NaN or logits of a wrong shape.
    """
    run = Run(denoise, canvases, config, vocabulary, on_step, overheard)
    work_off(run, cancel=cancel, deadline_s=deadline_s, clock=clock)
    return [row.result() for row in run.rows]


def work_off(
    run: Run,
    *,
    cancel: CancelToken | None,
    deadline_s: float | None,
    clock: Callable[[], float],
) -> None:
    """Run passes until every row is closed; see `sample`."""
    pass_s = 0.0
    while run.has_work():
        if cancel is not None:
            cancel.raise_if_cancelled()
        started_s = clock()
        if deadline_s is not None and started_s + pass_s > deadline_s:
            run.stop("deadline")
            break
        if run.passes >= run.config.max_steps:
            run.stop("max_steps")
            break
        run.next_pass()
        pass_s = clock() - started_s
