"""What one pretraining run is: sizes, budget, data, rhythm of saving. Plain values only.

A run is fixed by this config, the corpus and the seed; it is stored in every checkpoint, and a
resumed run that differs in anything but its budget is refused.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from diffusion.data.batches import BatchConfig
from diffusion.data.examples import ExampleConfig
from diffusion.errors import ConfigError
from diffusion.train.optimisers import OptimiserConfig


@dataclass(frozen=True, slots=True)
class Budget:
    """When a run is over: at `tokens` seen or `minutes` trained, whichever comes first."""

    tokens: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if self.tokens is None and self.minutes is None:
            raise ConfigError("a run needs a budget; give --tokens, --minutes or both")
        for name in ("tokens", "minutes"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"--{name} is {value}; it must be above 0")

    def progress(self, tokens_seen: int, seconds_trained: float) -> float:
        """Share of the budget that is spent, 0..1."""
        shares = [0.0]
        if self.tokens:
            shares.append(tokens_seen / self.tokens)
        if self.minutes:
            shares.append(seconds_trained / (60.0 * self.minutes))
        return min(1.0, max(shares))


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run with one kind of batch. It lasts until `until` of the budget is spent."""

    name: str
    until: float
    causal: bool = False
    example: ExampleConfig = field(default_factory=ExampleConfig)

    def batch(self, shape: BatchConfig) -> BatchConfig:
        """Batches of `shape` as this stage wants them; another stage's differ by their seed."""
        return replace(shape, example=self.example, causal=self.causal)


STAGES = (
    Stage("causal", 0.45, causal=True, example=ExampleConfig(plain_mlm=0.3)),
    Stage("diffusion", 0.53, example=ExampleConfig(plain_mlm=0.6)),
    Stage("infill", 1.0, example=ExampleConfig(plain_mlm=0.15)),
)
"""Left to right first, since every token is then a label (docs/decisions/0007); masked language
modelling next, which is one step of diffusion; then what is served: holes, on a clean context."""


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
    compile: bool = False
    seed: int = 0
    workers: int = 1
    log_every_steps: int = 20
    save_every_minutes: float = 5.0
    validate_every_minutes: float = 15.0
    validation_rows: int = 48

    def stage_at(self, spent: float) -> Stage:
        """The stage that a run is in when `spent` (0..1) of its budget is spent."""
        return next((s for s in self.stages if spent < s.until), self.stages[-1])

    def fingerprint(self) -> dict[str, Any]:
        """What a resumed run must agree on."""
        free = (
            "compile", "workers", "log_every_steps", "save_every_minutes",
            "validate_every_minutes", "validation_rows",
        )  # fmt: skip
        return {name: value for name, value in asdict(self).items() if name not in free}
