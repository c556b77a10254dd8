"""What one pretraining run is: sizes, budget, data, rhythm of saving. Plain values only.

A run is fixed by this config, the vocabulary and the corpus. The config and the vocabulary are
stored in every checkpoint, and a resumed run with others is refused; its budget, its rates, and
what only sets its pace may differ. The corpus is not looked at: packs may arrive during a run.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from diffusion.data.batches import BatchConfig
from diffusion.errors import ConfigError
from diffusion.train import fingerprint
from diffusion.train.attention import NAMES as ATTENTIONS
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.stages import STAGES, Stage

__all__ = ["Budget", "PretrainConfig", "Stage", "STAGES"]

_FEWEST_STEPS = 20
_SHORTEST_ROW = 64
"""Tokens; no window of a document is laid out in less (`data.batches`)."""


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run is over: at `tokens` seen or after `minutes`, whichever comes first.

    Minutes are of wall time, waiting, validation and saving included, over all of a run's starts.
    """

    tokens: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.tokens is None and self.minutes is None:
            raise ConfigError("a run needs a budget; give --tokens, --minutes or both")
        for name in ("tokens", "minutes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"--{name} is {value}; give a number above 0")

    def progress(self, tokens_seen: int, seconds_trained: float) -> float:
        """Share of the budget that is spent, 0..1."""
        shares = [0.0]
        if self.tokens:
            shares.append(tokens_seen / self.tokens)
        if self.minutes:
            shares.append(seconds_trained / (60.0 * self.minutes))
        return min(1.0, max(shares))

    def check(self, batch_tokens: int, seconds_per_step: float | None = None) -> None:
        """Raise ConfigError where the budget holds too few steps for the stages and the decay.

        Without `seconds_per_step` only the tokens are looked at: they hold one batch at least.
        """
        if self.tokens is not None and self.tokens < batch_tokens:
            raise ConfigError(
                f"--tokens {self.tokens} is less than one batch of {batch_tokens}; give more "
                "tokens, or smaller batches with --batch-tokens"
            )
        if self.minutes is None or seconds_per_step is None:
            return
        steps = 60.0 * self.minutes / max(seconds_per_step, 1e-9)
        if steps < _FEWEST_STEPS:
            needed = _FEWEST_STEPS * seconds_per_step / 60
            raise ConfigError(
                f"--minutes {self.minutes:g} holds {steps:.0f} steps of {seconds_per_step:.1f} s, "
                f"too few to warm up and decay; give at least {needed:.2g}, or smaller batches "
                "with --batch-tokens"
            )


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """One run of `diffill pretrain`."""

    recipe: str = "nano"
    batch: BatchConfig = field(default_factory=BatchConfig)
    stages: tuple[Stage, ...] = STAGES
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    blind_context: bool = True
    """Context does not see canvases. False trains with full attention, for the ablation."""
    mixed_precision: str = "bf16"
    ema_decay: float = 0.0
    """Of the average of the weights that is validated and exported; 0 for the weights as they
    are."""
    seed: int = 0
    compile: bool = False
    attention: str | None = None
    """A registered attention function instead of the device's own."""
    shard: bool = False
    """Weights and optimiser state shared out over the processes (`train.sharding`)."""
    rows_per_pass: int | None = None
    """Rows that go through the model at once, per process; None is a process's whole share."""
    workers: int = 1
    log_every_steps: int = 20
    save_every_minutes: float = 5.0
    validate_every_minutes: float = 15.0
    validation_rows: int = 48
    export_every_minutes: float | None = None
    """How often to write a weight export (`train.weight_export`); None is never."""

    def __post_init__(self) -> None:
        for option, whole, least in (
            ("--row-tokens", self.batch.row_tokens, _SHORTEST_ROW),
            ("--batch-tokens", self.batch.rows * self.batch.row_tokens, self.batch.row_tokens),
            ("--noisings", self.batch.noisings, 1),
            ("--rows", self.rows_per_pass, 1),
            ("--workers", self.workers, 0),
            ("--log-every", self.log_every_steps, 1),
        ):
            if whole is not None and whole < least:
                raise ConfigError(f"{option} is {whole}; give {least} or more")
        for option, minutes in (
            ("--save-every-minutes", self.save_every_minutes),
            ("--validate-every-minutes", self.validate_every_minutes),
            ("--export-every-minutes", self.export_every_minutes),
        ):
            if minutes is not None and not (math.isfinite(minutes) and minutes >= 0):
                raise ConfigError(f"{option} is {minutes}; give 0 or more")
        if not 0 <= self.ema_decay < 1:
            raise ConfigError(
                f"--ema-decay is {self.ema_decay}; give 0 (no average) or more, and less than 1"
            )
        if self.attention is not None and self.attention not in ATTENTIONS:
            raise ConfigError(
                f"--attention is {self.attention!r}", fix=f"choose one of {', '.join(ATTENTIONS)}"
            )

    def stage_at(self, spent: float) -> Stage:
        """The stage that a run is in when `spent` (0..1) of its budget is spent."""
        return next((s for s in self.stages if spent < s.until), self.stages[-1])

    def fingerprint(self) -> dict[str, Any]:
        """What a resumed run must agree on; `fingerprint.differences` leaves the rates out."""
        free = (
            "compile", "attention", "shard", "rows_per_pass", "workers", "log_every_steps",
            "save_every_minutes", "validate_every_minutes", "validation_rows",
            "export_every_minutes",
        )  # fmt: skip
        fixed = {name: value for name, value in asdict(self).items() if name not in free}
        return {**fixed, "version": fingerprint.VERSION}
