"""What one tuning run is: method, rates, rhythm. Plain values only, stored with the run.

A run's weights after n steps depend on this, the data and the base model alone, never on the
clock: time only decides after which step it ends. So a run that was killed goes on bit for bit.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from diffusion.adapters.manifest import FULL, LORA, METHODS
from diffusion.data.batches import BatchConfig
from diffusion.data.examples import ExampleConfig
from diffusion.errors import ConfigError

DEFAULT_MINUTES = 10.0
RATES = {LORA: 1e-3, FULL: 1e-4}
"""Peak rates of AdamW. LoRA learned at 1e-3 and began to diverge at 4e-3; full tuning was worse
than nothing at 1e-3 (docs/lab-notebook.md). What is tried lies around them; a run halves its rate
where it gains nothing."""


@dataclass(frozen=True, slots=True)
class TuneConfig:
    """One run of `diffill train`."""

    method: str = LORA
    learning_rate: float | None = None
    """None lets a short test choose (`rate_test`)."""
    rate_steps: int = 6
    """Steps at each rate that is tried."""
    rank: int = 16
    alpha: float = 32.0
    rows: int = 4
    """Rows of one step; between two rows a run looks whether it should pause."""
    row_tokens: int = 512
    replay: float = 0.25
    """Share of windows that come from the pack of general code."""
    warmup_steps: int = 10
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average_decay: float = 0.98
    """Of the average of the weights, which is what is measured and published."""
    validate_every_steps: int = 25
    validation_rows: int = 8
    patience: int = 4
    """So many measurements without a gain end a run."""
    most_epochs: float = 30.0
    """A run sees the repository's tokens at most so often."""
    save_every_s: float = 60.0
    log_every_steps: int = 10
    seed: int = 0
    bf16: bool = True
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(
                f"no method of tuning is called {self.method!r}",
                fix=f"choose one of {', '.join(METHODS)}",
            )
        if not 0.0 <= self.replay < 1.0:
            raise ConfigError(f"a replay of {self.replay} is no share", fix="give 0 to below 1")
        if self.learning_rate is not None and not 0.0 <= self.learning_rate < math.inf:
            raise ConfigError(
                f"a learning rate of {self.learning_rate} is none", fix="give a number, like 0.001"
            )
        for name in (
            "rank", "rows", "row_tokens", "validate_every_steps", "patience", "log_every_steps",
            "rate_steps",
        ):  # fmt: skip
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="give 1 or more")

    @property
    def rate(self) -> float:
        """The peak rate that was given, else the method's own."""
        return RATES[self.method] if self.learning_rate is None else self.learning_rate

    @property
    def scale(self) -> float:
        """What the product of a LoRA pair is multiplied with."""
        return self.alpha / self.rank if self.method == LORA else 1.0

    @property
    def batch(self) -> BatchConfig:
        """Batches as plan "three" ends on: all kinds of holes, canvases that tell their length."""
        return BatchConfig(
            rows=self.rows,
            row_tokens=self.row_tokens,
            seed=self.seed,
            example=ExampleConfig(plain_mlm=0.05),
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)
