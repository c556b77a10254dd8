"""One optimiser step of tuning, and what it needs: the model, its trained part, the optimiser.

Invariants: row r of a step is a function of the seed and r; where a run is told to stop in the
middle of a step, or its loss is no number, no weight has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import AdamW
from transformers import PreTrainedModel

from diffusion.data.batches import build_rows, to_device
from diffusion.errors import TrainingError
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.control import Control
from diffusion.train.objective import Objective
from diffusion.train.team import Team
from diffusion.train.trained_part import decayed, prepare
from diffusion.train.tune_config import TuneConfig
from diffusion.train.tune_data import MixedSource
from diffusion.train.validation import Validator


class Futile(TrainingError):
    """A run ended by what would end it again, wherever it went on: the next one begins anew."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What one optimiser step saw, in all processes."""

    loss: float
    norm: float
    tokens: int

    @property
    def finite(self) -> bool:
        """Whether the step was taken."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Learner:
    """A model under training; `part` is what changes."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Tokenizer,
        config: TuneConfig,
        control: Control,
        team: Team,
    ) -> None:
        self._tokenizer, self._config, self._control, self._team = tokenizer, config, control, team
        self._model = model.float().to(team.device)
        self.part = prepare(model, config)
        team.share(self.part.parameters())
        self.optimiser = AdamW(
            [
                {"params": parameters, "weight_decay": config.weight_decay if decays else 0.0}
                for parameters, decays in decayed(self.part)
                if parameters
            ],
            lr=config.rate,
            betas=(0.9, 0.95),
        )
        self._objective = Objective(model)
        model.train()

    def begin_anew(self, start: dict[str, Tensor]) -> None:
        """Weights as in `start`, and an optimiser that has seen nothing."""
        self.part.load(start)
        self.optimiser.state.clear()

    def learn(
        self, source: MixedSource, step: int, rate: float, told: Callable[[str], None]
    ) -> Learned | None:
        """One step on the rows of step `step` of `source`; None where the run was told to stop.

        `told` hears `paused` and `resumed`. Raises Futile for text without holes.
        """
        config, team = self._config, self._team
        if not team.told(float(not team.main or self._control.gate(told))):
            return None
        first = step * config.rows
        batches = [
            build_rows(source, self._tokenizer, [first + row], config.batch)
            for row in range(team.rank, config.rows, team.size)
        ]
        weight, tokens = team.sums(
            float(sum((batch.weights_M.sum() for batch in batches), torch.zeros(()))),
            float(sum(batch.tokens for batch in batches)),
        )
        if not weight > 0:
            raise Futile(
                "the repository's files are too short to cut holes out of",
                fix="name a repository with longer source files",
            )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        total_weight = torch.tensor(weight, device=team.device)
        loss = 0.0
        for batch in batches:
            # Alone, a run stops between two rows; several could not agree there, and only wait.
            if team.main and not self._control.gate(told) and team.size == 1:
                self.optimiser.zero_grad(set_to_none=True)
                return None
            if not len(batch.targets_M):
                continue
            with torch.autocast(team.device.type, torch.bfloat16, enabled=config.bf16):
                part = self._objective(to_device(batch, team.device), total_weight)
            part.backward()
            loss += float(part.detach())
        team.add_gradients(self.part.parameters())
        (loss,) = team.sums(loss)
        norm = float(torch.nn.utils.clip_grad_norm_(self.part.parameters(), config.clip_norm))
        learned = Learned(loss, norm, round(tokens))
        if learned.finite:
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return learned

    def loss_on(self, validator: Validator, told: Callable[[str], None]) -> float | None:
        """The mean held-out loss in nats a token, None where there is no text to measure on.

        Raises Cancelled where the run was told to stop; several processes do not stop here.
        """
        autocast = torch.autocast(
            self._team.device.type, torch.bfloat16, enabled=self._config.bf16
        )

        def look() -> None:
            if self._team.size == 1:
                self._control.check(told)

        measured = validator.measure(self._model, autocast, blind_context=True, on_batch=look)
        # The same batches in every process, so all have a figure or none has.
        return self._team.told(measured.mean) if measured.by_share else None
