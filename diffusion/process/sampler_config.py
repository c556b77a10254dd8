"""How to sample: plain values, checked when they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from diffusion.errors import ConfigError
from diffusion.process.guards import Guards
from diffusion.process.schedule import Schedule
from diffusion.process.unmasking import LeftmostFirst, Order


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
        least_p: an open row is given up once what it has written is less probable than this:
            whatever would come, all of it is, too. 0: none is.
        fork_nats: where the second choice for the leftmost open slot is at most this much less
            probable than the first, a row that may fork goes on with both, each in a row of its
            own (what is committed along with the first is not in the other).
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
    least_p: float = 0.0
    fork_nats: float = 1.5
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
        if not 0.0 <= self.least_p < 1.0:
            raise ConfigError(f"least_p is {self.least_p}", fix="use at least 0 and less than 1")
        if not self.fork_nats >= 0.0:
            raise ConfigError(f"fork_nats is {self.fork_nats}", fix="use 0 or more")
        if self.race_nats is not None and not self.race_nats >= 0.0:
            raise ConfigError(f"race_nats is {self.race_nats}", fix="use 0 or more, or None")
