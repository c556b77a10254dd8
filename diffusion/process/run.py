"""One call of the sampler: its rows, and what a denoising pass does to them.

Per step: one pass over the rows still open, a choice of slots by the order, commits under the
guards; where the model is in two minds, a row that may fork goes on as two. Rows leave the batch
when they are done.

Invariants:
- No pin changes, and no filled slot does, except that `remask` may take one back once, and
  that a row cut off with a gap gives up what stands right of the gap.
- Rows do not influence each other: a row's result depends on its canvas, its index (through
  the seed) and the denoiser; only a deadline couples them, and `race_nats` where it is set.
- A row's forks never change the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from diffusion.process.canvas_state import CanvasState, Commit, Reason, StepSnapshot
from diffusion.process.denoiser import Denoise
from diffusion.process.overheard import Overheard
from diffusion.process.reading import Reading, RowReading, call_denoiser, read_step
from diffusion.process.row import Row
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import Proposals
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL

_ALTERNATIVES = 32
"""Tokens tried for a slot whose proposal a guard refuses. Each n-gram length can refuse one
token only, so a handful would do."""


class Run:
    """The rows, and what the last pass said of each. `work_off` in `sampler` drives it."""

    def __init__(
        self,
        denoise: Denoise,
        canvases: Sequence[CanvasState],
        config: SamplerConfig,
        vocabulary: Vocabulary,
        on_step: Callable[[StepSnapshot], None] | None,
        overheard: Overheard | None = None,
    ) -> None:
        self.passes = 0
        self._overheard = overheard
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
        self._parents: list[int] = []
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
            typed = row.constraint
            scarce = bool(typed) and self._vocabulary.least_tokens(typed)[0] > len(row.masked)
            if scarce or row.spellings(self._vocabulary) == []:
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
        if self._overheard is not None:
            self._overheard.listen(rows, reading)
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
                chosen = config.order.choose(proposed[row.index], quota)
                if row.forks:
                    committed |= self._fork(row, row_reading, reading)
                done = self._commit(row, row_reading, reading, chosen, quota)
            self._last[row.index] = (row_reading, done)
            committed[row.index] = done
        self._drop_hopeless()
        self._drop_outrun()
        self._drop_unsure()
        self._report(committed, proposed, {})

    def _drop_unsure(self) -> None:
        if self.config.least_p > 0.0:
            least_nats = math.log(self.config.least_p)
            for row in self._open():
                if not row.constraint and row.sum_log_p < least_nats:
                    row.cut("unsure")

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

    def _fork(
        self, row: Row, view: RowReading, reading: Reading
    ) -> dict[int, tuple[Commit, ...]]:
        """Split a row off that has the second choice at the leftmost slot, if that is near."""
        slot = view.slots[0]
        least = view.log_p[0] - self.config.fork_nats
        for token, log_p in reading.ranked(view.logits_at, 2):
            if token == view.tokens[0] or log_p < least:
                continue
            if self._acceptable(row, slot, token, log_p, ()):
                twin = row.twin(len(self.rows))
                row.forks -= 1
                done = (twin.commit(slot, token, log_p, self._vocabulary),)
                self.rows.append(twin)
                self._quotas.append([])
                self._parents.append(row.index)
                self._last[twin.index] = (view, done)
                return {twin.index: done}
        return {}

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
                parents=tuple(self._parents),
            )
        )
