"""The tuning loop: a run's shards in, the best weights on held-out files out.

The rate warms up and then stays; what is measured and kept is a running average of the weights,
which takes the place of a decay, so that any step may be the last one. The best average on the
held-out files is what counts. A measurement without a gain goes back to it with half the rate,
which is also how a rate that is too high for a repository is found out; several end the run.
Unless a rate is given, a short test chooses it before the first step (`rate_test`).

Invariants: row r of a batch is a function of the seed and r, and nothing that shapes the weights
looks at the clock, so a resumed run is the unbroken one bit for bit (whether there was time for a
test of rates is settled once, and kept with the rate); the test leaves no trace but the rate;
waiting does not count as time; a loss that is no number ends the run before it reaches a weight;
the base model's own loss is measured once, before the first step; a measurement that a stop has
broken off is made anew before the next step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from diffusion.cancel import Cancelled
from diffusion.data.shards import ShardSet
from diffusion.errors import CorpusError, TrainingError
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import tune_checkpoint
from diffusion.train.control import Control
from diffusion.train.ema import WeightAverage
from diffusion.train.optimisers import load_state_tensors, state_tensors
from diffusion.train.rate_test import (
    GIVEN,
    MOST_OF_BUDGET,
    NO_TEXT,
    ChosenRate,
    choose_rate,
)
from diffusion.train.run_log import Report
from diffusion.train.team import Team
from diffusion.train.tune_checkpoint import AVERAGE, BEST, OPTIMISER, TRAINED, Checkpoint, TuneState
from diffusion.train.tune_config import TuneConfig
from diffusion.train.tune_data import (
    DATA,
    GENERAL,
    JUDGE,
    TRIAL,
    VALIDATION,
    MixedSource,
    can_judge,
)
from diffusion.train.tune_step import Futile, Learner
from diffusion.train.validation import Validator

_SMALLEST_GAIN = 0.002
"""Share of the loss; less is no gain, since the held-out rows are few."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """How a run ended. `trained` are the best weights, None where none beat the base model."""

    state: TuneState
    base: dict[str, Tensor]
    trained: dict[str, Tensor] | None
    why: str
    """`time`, `no_more_gain`, `enough_epochs` or `stopped`."""

    @property
    def stopped(self) -> bool:
        """Whether the run can go on later."""
        return self.why == "stopped"


def finetune(
    run: Path,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    config: TuneConfig,
    *,
    minutes: float,
    most_steps: int,
    report: Report,
    control: Control,
    clock: Callable[[], float] = time.monotonic,
    team: Team | None = None,
) -> Tuned:
    """Tune `model` on the shards in `run`, from the newest checkpoint there if there is one.

    All processes of a team call it; `report` and `control` of the first one count.

    Raises:
        Futile: a loss that is no number, or text without holes. Checkpoints stay.
        TrainingError: a disk too full for the last checkpoint, no sound checkpoint, or damaged
            shards. Earlier checkpoints stay.
    """
    try:
        loop = _Loop(run, model, tokenizer, config, report, control, clock, team or Team())
        return loop.go(minutes, most_steps)
    except CorpusError as error:
        what, _, _ = str(error).partition("; ")  # what follows is for corpora of one's own
        raise TrainingError(
            f"the text of the run in {run} is damaged ({what})",
            fix="start over with `diffill train --fresh`",
        ) from error


class _Loop:
    """One run in progress."""

    def __init__(
        self,
        run: Path,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        config: TuneConfig,
        report: Report,
        control: Control,
        clock: Callable[[], float],
        team: Team,
    ) -> None:
        self._run, self._tokenizer, self._config = run, tokenizer, config
        self._report, self._control, self._clock = report, control, clock
        self._team = team
        self._learner = Learner(model, tokenizer, config, control, team)
        self._part = self._learner.part
        self._base = self._part.tensors()
        self._average = WeightAverage(self._part, config.average_decay)
        self._best: dict[str, Tensor] = {}
        self._source = MixedSource(run, tokenizer, config.replay)
        self._own = self._validator(DATA)
        self._general = self._validator(GENERAL)
        self.state = TuneState()
        self._resume()

    def _validator(self, name: str, split: str = VALIDATION) -> Validator:
        shards = ShardSet.open(self._run / name, split)
        config = self._config
        return Validator(
            shards, self._tokenizer, config.batch, config.validation_rows, by_tokens=name == DATA
        )

    def _resume(self) -> None:
        found = tune_checkpoint.newest(self._run)
        if found is None:
            return
        self.state = found.state
        self._part.load(found.tensors[TRAINED])
        load_state_tensors(self._learner.optimiser, found.tensors[OPTIMISER])
        self._average.restart(self._part.numbered(found.tensors[AVERAGE]))
        self._best = found.tensors[BEST]

    def go(self, minutes: float, most_steps: int) -> Tuned:
        """Train until time, epochs or gains are spent, or until told to stop."""
        try:
            why = self._train(minutes, most_steps)
        except Cancelled:
            why = "stopped"
        if self.state.rate is not None:  # else what was measured is kept, and rates tried again
            self.save()
        return Tuned(self.state, self._base, self._best or None, why)

    def _train(self, minutes: float, most_steps: int) -> str:
        """Why it ended. Raises Cancelled in the middle of a measurement, which changed nothing."""
        if self.state.base_loss is None:
            self._measure_base()
        if self.state.rate is None and not self._choose_rate(minutes):
            return "stopped"
        if self._is_due():  # the last start was told to stop meanwhile
            self._validate()
        saved_s = tick_s = self._now_s()
        while (why := self._over(minutes, most_steps)) is None:
            if not self._step():
                return "stopped"
            now_s = self._now_s()
            self.state = replace(
                self.state, seconds_trained=self.state.seconds_trained + now_s - tick_s
            )
            tick_s = now_s
            if self._is_due():
                self._validate()
            if self.state.step % self._config.log_every_steps == 0:
                self._log(minutes, most_steps)
            if now_s - saved_s >= self._config.save_every_s:
                self._save_or_warn()
                saved_s = now_s
        if self.state.last_validated_step != self.state.step:
            self._validate()
        return why

    def _is_due(self) -> bool:
        state = self.state
        return (
            state.step > 0
            and state.step % self._config.validate_every_steps == 0
            and state.last_validated_step != state.step
        )

    def _now_s(self) -> float:
        """The first process's clock, which stands still while the run waits."""
        return self._team.told(self._clock() - self._control.waited_s)

    def _choose_rate(self, minutes: float) -> bool:
        """Settle the peak rate; False where the run was told to stop meanwhile."""
        config, begun_s = self._config, self._now_s()
        if config.learning_rate is not None or self.state.step > 0:
            # A run that was begun before there was a test goes on as it began.
            self.state = replace(self.state, rate=config.rate, rate_why=GIVEN)
            return True
        chosen: ChosenRate | None = ChosenRate(config.rate, NO_TEXT)
        judge = self._validator(DATA, JUDGE) if can_judge(self._run) else None
        start_loss = None if judge is None else self._loss_on(judge)
        if judge is not None and start_loss is not None:
            start = self._part.tensors()
            source = MixedSource(self._run, self._tokenizer, config.replay, TRIAL)
            self._report({"event": "choosing_rate", "step": 0})
            chosen = choose_rate(
                config.rate, start_loss, lambda rate: self._try(rate, start, source, judge),
                allowed_s=MOST_OF_BUDGET * 60 * minutes, clock=self._now_s,
            )  # fmt: skip
            self._learner.begin_anew(start)
        if chosen is None:
            return False
        self.state = replace(
            self.state, rate=chosen.rate, rate_why=chosen.why, rate_losses=chosen.losses,
            seconds_trained=self.state.seconds_trained + self._now_s() - begun_s,
        )  # fmt: skip
        self._report({"event": "rate", "step": 0, "rate": chosen.rate, "why": chosen.why,
                      "losses": chosen.losses})  # fmt: skip
        self._save_or_warn()
        return True

    def _try(
        self, rate: float, start: dict[str, Tensor], source: MixedSource, judge: Validator
    ) -> float | None:
        """The loss on `judge` after a few steps at `rate`; None where the run was told to stop."""
        self._learner.begin_anew(start)
        for step in range(self._config.rate_steps):
            warm = min(1.0, 3 * (step + 1) / self._config.rate_steps)
            learned = self._learner.learn(source, step, rate * warm, self._told)
            if learned is None:
                return None
            if not learned.finite:
                return math.inf
        loss = self._loss_on(judge)
        return math.inf if loss is None else loss

    def _over(self, minutes: float, most_steps: int) -> str | None:
        if self.state.without_gain >= self._config.patience:
            return "no_more_gain"
        if self.state.step >= most_steps:
            return "enough_epochs"
        return "time" if self.state.seconds_trained >= 60 * minutes else None

    def _step(self) -> bool:
        """One step of the run; False where it was told to stop, with nothing changed."""
        config, step = self._config, self.state.step
        peak = config.rate
        if config.learning_rate is None and self.state.rate is not None:
            peak = self.state.rate
        rate = peak * self.state.rate_scale * min(1.0, (step + 1) / config.warmup_steps)
        learned = self._learner.learn(self._source, step, rate, self._told)
        if learned is None:
            return False
        if not learned.finite:
            raise Futile(
                f"loss {learned.loss} (gradient norm {learned.norm}) at step {step}; nothing was "
                "published and the adapter in use stays",
                fix="start over with `diffill train --fresh` and a lower --learning-rate",
            )
        self._average.update(step)
        self._loss = learned.loss
        self.state = replace(
            self.state, step=step + 1, tokens_seen=self.state.tokens_seen + learned.tokens
        )
        return True

    def _told(self, what: str) -> None:
        self._report({"event": what, "step": self.state.step})

    def _loss_on(self, validator: Validator) -> float | None:
        return self._learner.loss_on(validator, self._told)

    def _measure_base(self) -> None:
        self.state = replace(
            self.state,
            base_loss=self._loss_on(self._own),
            general_base_loss=self._loss_on(self._general),
            last_validated_step=0,
        )
        self._save_or_warn()  # a few minutes a day may not reach beyond the test of rates
        self._report({"event": "validation", "step": 0, "loss": self.state.base_loss,
                      "base_loss": self.state.base_loss, "best": False,
                      "general_loss": self.state.general_best_loss,
                      "general_base_loss": self.state.general_base_loss})  # fmt: skip

    def _validate(self) -> None:
        """Measure the average; keep it where it is the best so far."""
        with self._average.in_place():
            loss = self._loss_on(self._own)
            before = self.state.best_loss or self.state.base_loss
            better = loss is not None and (
                before is None or loss < before * (1.0 - _SMALLEST_GAIN)
            )
            if better:
                general = self._loss_on(self._general)
                self._best = self._part.tensors()
        state = replace(self.state, last_validated_step=self.state.step)
        if better:
            self.state = replace(
                state, best_loss=loss, best_step=state.step, without_gain=0,
                general_best_loss=general,
            )  # fmt: skip
        else:
            # Too high a rate looks like this: back to the best weights, with half of it.
            self._part.load(self._best or self._base)
            self._average.restart()
            self.state = replace(
                state, without_gain=state.without_gain + 1, rate_scale=0.5 * state.rate_scale
            )
        self._report({
            "event": "validation", "step": state.step, "loss": loss,
            "base_loss": state.base_loss, "best": better,
            "general_loss": self.state.general_best_loss,
            "general_base_loss": state.general_base_loss,
        })  # fmt: skip

    def _log(self, minutes: float, most_steps: int) -> None:
        state = self.state
        spent = max(state.seconds_trained / (60 * minutes), state.step / most_steps)
        left_s = state.seconds_trained * (1 - spent) / max(spent, 1e-6)
        self._report({
            "event": "train", "step": state.step, "loss": self._loss, "tokens": state.tokens_seen,
            "tokens_per_s": state.tokens_seen / max(state.seconds_trained, 1e-9),
            "progress": min(1.0, spent), "minutes": state.seconds_trained / 60,
            "eta_minutes": max(0.0, left_s / 60),
        })  # fmt: skip

    def save(self) -> None:
        """Write a checkpoint. Raises TrainingError."""
        if not self._team.main:
            return
        average = self._average.tensors()
        tensors: dict[str, Any] = {
            TRAINED: self._part.tensors(),
            OPTIMISER: state_tensors(self._learner.optimiser),
            AVERAGE: self._part.renamed(average) if average else {},
            BEST: self._best,
        }
        tune_checkpoint.save(self._run, Checkpoint(self.state, tensors))

    def _save_or_warn(self) -> None:
        try:
            self.save()
        except TrainingError as error:
            self._report({"event": "warning", "step": self.state.step, "message": str(error)})
