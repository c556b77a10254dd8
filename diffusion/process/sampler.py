"""The step loop: fill several canvases on one context, a few slots per denoising pass.

One call samples one batch of rows (candidate lengths, alternatives). Per step: one pass over
the rows still open, a choice of slots by the order, commits under the guards. Rows leave the
batch when they are done. Cancellation and the deadline are looked at between steps, never
within one; what is filled at that moment is the answer.

Invariants:
- No pin changes, and no filled slot does, except that `remask` may take one back once, and
  that a row cut off with a gap gives up what stands right of the gap.
- At most `max_steps` denoiser calls; every pass but a re-scoring one fills at least one slot in
  each row that it is run for.
- Rows do not influence each other: a row's result depends on its canvas, its index (through
  the seed) and the denoiser; only a deadline couples them, and `race_nats` where it is set.
- With equal inputs, equal results.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from diffusion.cancel import CancelToken
from diffusion.errors import ConfigError
from diffusion.process.canvas_state import CanvasResult, CanvasState, Commit, Reason, StepSnapshot
from diffusion.process.denoiser import Denoise
from diffusion.process.guards import Guards
from diffusion.process.reading import Reading, RowReading, call_denoiser, read_step
from diffusion.process.row import Row
from diffusion.process.schedule import Schedule
from diffusion.process.unmasking import LeftmostFirst, Order, Proposals
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL

_ALTERNATIVES = 32
"""Tokens tried for a slot whose proposal a guard refuses. Each n-gram length can refuse one
token only, so a handful would do."""


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """How to sample. The default is greedy, from the left.

    Attributes:
        order: which slots to commit in a step.
        max_steps: most denoiser calls, a re-scoring pass included.
        schedule: if given, spreads a row's slots over `max_steps` steps and makes each step
            commit at least its share; otherwise a step commits at least one.
        temperature: 0 takes the most probable token. A canvas may override it.
        top_p: nucleus of the draw when the temperature is above 0.
        seed: of the draws; each row has its own stream.
        allow_empty: whether a row may end before it has visible text beyond the constraint.
        end_p: probability above which DEL is committed in the same step as the token before it.
        draft_p: at the deadline or the last step, open slots are filled from the last pass, from
            the left, while the proposal has at least this probability. Above 1: never. A row
            that this completes is finished.
        guards: against repetition; `Guards.none()` for none.
        race_nats: an open row is given up once its tokens are this many nats less probable than
            those of a row that has finished: it will not win, and it is the long rows that
            cost steps. None: every row runs to its end.
        remask: re-score finished rows once, seeing everything they hold, and mask again what
            fell by more than `remask_drop` of its probability.
    """

    order: Order = field(default_factory=LeftmostFirst)
    max_steps: int = 64
    schedule: Schedule | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    allow_empty: bool = True
    end_p: float = 0.95
    draft_p: float = 0.9
    guards: Guards = field(default_factory=Guards)
    race_nats: float | None = None
    remask: bool = False
    remask_drop: float = 0.5

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ConfigError(f"max_steps is {self.max_steps}", fix="use at least 1")
        if not 0.0 <= self.temperature < math.inf:
            raise ConfigError(f"temperature is {self.temperature}", fix="use 0 or more")
        if not 0.0 < self.top_p <= 1.0:
            raise ConfigError(f"top_p is {self.top_p}", fix="use more than 0 and at most 1")
        if not 0.0 < self.remask_drop <= 1.0:
            raise ConfigError(
                f"remask_drop is {self.remask_drop}", fix="use more than 0, at most 1"
            )
        if self.race_nats is not None and not self.race_nats >= 0.0:
            raise ConfigError(f"race_nats is {self.race_nats}", fix="use 0 or more, or None")


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
        clock: seconds; `time.perf_counter` outside tests.

    Returns:
        One result per canvas, in order.

    Raises:
        Cancelled: `cancel` was cancelled.
        SamplerError: the denoiser returned NaN or logits of a wrong shape.
    """
    run = Run(denoise, canvases, config, vocabulary, on_step)
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


class Run:
    """One call of `sample`: its rows, and what the last pass said of them."""

    def __init__(
        self,
        denoise: Denoise,
        canvases: Sequence[CanvasState],
        config: SamplerConfig,
        vocabulary: Vocabulary,
        on_step: Callable[[StepSnapshot], None] | None,
    ) -> None:
        self.passes = 0
        self.rows = [
            Row(
                index,
                canvas,
                allow_empty=(
                    config.allow_empty if canvas.allow_empty is None else canvas.allow_empty
                ),
                temperature=(
                    config.temperature if canvas.temperature is None else canvas.temperature
                ),
                seed=config.seed * 1_000_003 + index,
            )
            for index, canvas in enumerate(canvases)
        ]
        self._denoise = denoise
        self.config = config
        self._vocabulary = vocabulary
        self._on_step = on_step
        self._rescored = not config.remask
        self._last: dict[int, tuple[RowReading, tuple[Commit, ...]]] = {}
        self._quotas: list[list[int]] = [
            []
            if config.schedule is None
            else config.schedule.tokens_per_step(len(row.masked), config.max_steps)
            for row in self.rows
        ]
        self._drop_hopeless()

    def has_work(self) -> bool:
        return bool(self._open()) or bool(self._to_rescore())

    def next_pass(self) -> None:
        """One denoiser call: a step over the open rows or, when none is open, the re-scoring."""
        self.passes += 1
        if self._open():
            self._step()
        else:
            self._rescore()

    def stop(self, reason: Reason) -> None:
        """Close the open rows with what they hold, plus what the last pass was sure of."""
        self._rescored = True
        for row in self._open():
            self._draft(row)
            if row.reason is None:
                row.cut(reason)

    def _bound(self, rows: Sequence[Row]) -> Denoise:
        """What a pass over `rows` calls."""
        return self._denoise

    def _moving(self, rows: Sequence[Row], proposals: Sequence[Proposals]) -> set[int]:
        """Indices of the rows that commit in this step; the others wait for the next one."""
        return {row.index for row in rows}

    def _open(self) -> list[Row]:
        return [row for row in self.rows if row.reason is None]

    def _drop_hopeless(self) -> None:
        for row in self._open():
            if row.spellings(self._vocabulary) == []:
                row.cut("constraint")

    def _step(self) -> None:
        rows, config = self._open(), self.config
        reading = read_step(
            self._bound(rows),
            rows,
            self._vocabulary,
            window=None if config.schedule is not None else config.order.window,
            entropy_above=config.order.entropy_above,
            top_p=config.top_p,
        )
        committed: dict[int, tuple[Commit, ...]] = {}
        proposed = {
            row.index: view.proposals() for row, view in zip(rows, reading.rows, strict=True)
        }
        moving = self._moving(rows, [proposed[row.index] for row in rows])
        for row, row_reading in zip(rows, reading.rows, strict=True):
            done: tuple[Commit, ...] = ()
            if row.index in moving:
                quota = self._quota(row)
                row.steps += 1
                chosen = config.order.choose(proposed[row.index], quota, row.random)
                done = self._commit(row, row_reading, reading, chosen, quota)
            self._last[row.index] = (row_reading, done)
            committed[row.index] = done
        self._drop_hopeless()
        self._drop_outrun()
        self._report(committed, proposed, {})

    def _drop_outrun(self) -> None:
        if self.config.race_nats is None:
            return
        finished = [row.sum_log_p for row in self.rows if row.reason in ("ended", "full")]
        for row in self._open():
            if finished and row.sum_log_p < max(finished) - self.config.race_nats:
                row.cut("outrun")

    def _quota(self, row: Row) -> int:
        quotas = self._quotas[row.index]
        return quotas[row.steps] if row.steps < len(quotas) else 1

    def _commit(
        self, row: Row, view: RowReading, reading: Reading, chosen: list[int], quota: int
    ) -> tuple[Commit, ...]:
        """Commit the chosen slots from the left: the first `quota` of them in any case."""
        due = set(chosen[:quota])
        done: list[Commit] = []
        at = {slot: i for i, slot in enumerate(view.slots)}
        for slot in sorted(chosen):
            token, log_p = view.tokens[at[slot]], view.log_p[at[slot]]
            if not self._acceptable(row, slot, token, log_p, done):
                if slot not in due:
                    continue
                token, log_p = self._alternative(
                    row, slot, reading.ranked(view.logits_at + at[slot], _ALTERNATIVES), done
                ) or (token, log_p)
            done.append(row.commit(slot, token, log_p, self._vocabulary))
            if row.reason is not None:
                return tuple(done)
        self._end_at_once(row, view, done)
        return tuple(done)

    def _end_at_once(self, row: Row, view: RowReading, done: list[Commit]) -> None:
        """Commit a DEL right behind this step's tokens, if it is sure. Saves a step per row."""
        slot = row.masked[0]
        if slot not in view.slots or not row.may_end(slot):
            return
        i = view.slots.index(slot)
        if view.tokens[i] == DEL and math.exp(view.log_p[i]) > self.config.end_p:
            done.append(row.commit(slot, DEL, view.log_p[i], self._vocabulary))

    def _acceptable(
        self, row: Row, slot: int, token: int, log_p: float, done: Sequence[Commit]
    ) -> bool:
        """Whether the canvas's rules and the guards let `token` stand at `slot`."""
        if token == DEL:
            return row.may_end(slot)
        if self._vocabulary.blank[token] and row.must_show():
            return False
        guards = self.config.guards
        if math.exp(log_p) <= guards.equal_neighbour_p and any(
            abs(commit.slot - slot) == 1 and commit.token == token for commit in done
        ):
            return False
        return not guards.loops(
            row.ids, slot, token, self._vocabulary.wordless, self._vocabulary.line_end
        )

    def _alternative(
        self, row: Row, slot: int, ranked: list[tuple[int, float]], done: Sequence[Commit]
    ) -> tuple[int, float] | None:
        """The most probable token that may stand at `slot`; None if nothing possible may."""
        for token, log_p in ranked:
            if math.exp(log_p) == 0.0:  # not allowed there at all
                return None
            if self._acceptable(row, slot, token, log_p, done):
                return token, log_p
        return None

    def _draft(self, row: Row) -> None:
        """Fill open slots from the left with what the last pass was sure of."""
        last = self._last.get(row.index)
        if last is None or row.constraint:
            return
        view, committed = last
        proposals = {s: (view.tokens[i], view.log_p[i]) for i, s in enumerate(view.slots)}
        done = list(committed)
        while row.reason is None and row.masked[0] in proposals:
            slot = row.masked[0]
            token, log_p = proposals[slot]
            if math.exp(log_p) < self.config.draft_p:
                return
            if not self._acceptable(row, slot, token, log_p, done):
                return
            done.append(row.commit(slot, token, log_p, self._vocabulary))

    def _to_rescore(self) -> list[Row]:
        if self._rescored:
            return []
        return [row for row in self.rows if row.reason in ("ended", "full") and row.revisable()]

    def _rescore(self) -> None:
        """Look once more at every committed token, all others visible; mask what fell."""
        rows = self._to_rescore()
        self._rescored = True
        wanted = [row.revisable() for row in rows]
        logits_MV = call_denoiser(
            self._denoise, [row.ids for row in rows], wanted, self._vocabulary
        )
        p_MV = torch.softmax(logits_MV, dim=-1)
        remasked: dict[int, tuple[int, ...]] = {}
        at = 0
        for row, slots in zip(rows, wanted, strict=True):
            token_S = torch.tensor([row.ids[slot] for slot in slots], device=p_MV.device)
            p_S = p_MV[at : at + len(slots)].gather(1, token_S[:, None])[:, 0].tolist()
            at += len(slots)
            keep = 1.0 - self.config.remask_drop
            fallen = [s for s, p in zip(slots, p_S, strict=True) if p < keep * row.p(s)]
            row.steps += 1
            if fallen:
                row.remask(fallen)
                self._last.pop(row.index, None)
                remasked[row.index] = tuple(fallen)
        self._report({}, {}, remasked)

    def _report(
        self,
        committed: dict[int, tuple[Commit, ...]],
        proposed: dict[int, Proposals],
        remasked: dict[int, tuple[int, ...]],
    ) -> None:
        if self._on_step is None:
            return
        indices = range(len(self.rows))
        self._on_step(
            StepSnapshot(
                step=self.passes,
                ids=tuple(tuple(row.ids) for row in self.rows),
                committed=tuple(committed.get(i, ()) for i in indices),
                proposals=tuple(proposed.get(i) for i in indices),
                remasked=tuple(remasked.get(i, ()) for i in indices),
            )
        )
