"""How much of a hole is masked, as a function of time, for training and for sampling.

*Time* runs from 0 (clean) to 1 (all masked); `t` is the share of slots that is masked at
that time. A `Schedule` maps one to the other, monotonically, and ends at t = 1. Training
draws t from uniforms: the schedule *is* the inverse CDF of its t (`sample_t(u)` is
`mask_share(u)`).
Sampling walks time from 1 to 0 in equal steps and commits what the share falls by.

No torch here: plain floats and numpy. Sources: cosine is MaskGIT's (arXiv 2202.04200), the
bell arXiv 2605.13026, the staircase RoBERTaDiffusion's 1.0 -> 0.1 in ten levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import overload

import numpy as np
from numpy.typing import NDArray

from diffusion.errors import ScheduleError

Floats = NDArray[np.float64]


class ShareSampler:
    """Anything that turns uniforms into mask shares; all that training needs.

    A subclass gives `_share`, the shares at an array of uniforms in [0, 1].
    """

    def _share(self, u: Floats) -> Floats:
        raise NotImplementedError

    @overload
    def sample_t(self, u: float) -> float: ...
    @overload
    def sample_t(self, u: Floats | Sequence[float]) -> Floats: ...
    def sample_t(self, u: Floats | Sequence[float] | float) -> Floats | float:
        """Mask shares in [0, 1] for uniforms `u` in [0, 1), same shape.

        Raises:
            ScheduleError: a uniform lies outside [0, 1].
        """
        shares = self._share(_unit(u))
        return shares if shares.ndim else float(shares)


class Schedule(ShareSampler):
    """A share sampler whose share rises with time, so that sampling can walk it back."""

    def mask_share(self, time: float) -> float:
        """Share of slots masked at `time` in [0, 1].

        Raises:
            ScheduleError: `time` lies outside [0, 1].
        """
        return float(self._share(_unit(time)))

    def tokens_per_step(self, n_slots: int, steps: int) -> list[int]:
        """How many slots to commit in each step of an `n_slots` canvas.

        Every step commits at least one slot, so with fewer slots than steps the list is
        `n_slots` long. The list sums to `n_slots`.

        Raises:
            ScheduleError: `n_slots` is negative or `steps` is not positive.
        """
        if n_slots < 0 or steps < 1:
            raise ScheduleError(
                f"cannot spread {n_slots} slots over {steps} steps",
                fix="use n_slots >= 0 and steps >= 1",
            )
        steps = min(steps, n_slots)
        masked = n_slots
        counts: list[int] = []
        for step in range(1, steps + 1):
            steps_left = steps - step
            planned = math.floor(self.mask_share(steps_left / steps) * n_slots + 1e-9)
            left = 0 if steps_left == 0 else min(masked - 1, max(steps_left, planned))
            counts.append(masked - left)
            masked = left
        return counts


@dataclass(frozen=True, slots=True)
class Linear(Schedule):
    """t = time: t uniform in training, equal steps in sampling."""

    def _share(self, time: Floats) -> Floats:
        return time.copy()


@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    """t = sin(pi/2 * time): many masks for long, so sampling starts with few commits."""

    def _share(self, time: Floats) -> Floats:
        return np.sin(time * (math.pi / 2))


@dataclass(frozen=True, slots=True)
class Bell(Schedule):
    """t normal with mean `mu` and deviation `sigma`, truncated to [0, 1]."""

    mu: float = 0.55
    sigma: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 <= self.mu <= 1.0 or not 0.02 <= self.sigma <= 10.0:
            raise ScheduleError(
                f"Bell(mu={self.mu}, sigma={self.sigma}) is no bell over [0, 1]",
                fix="use mu in [0, 1] and sigma in [0.02, 10]",
            )

    def _share(self, time: Floats) -> Floats:
        normal = NormalDist(self.mu, self.sigma)
        low, high = normal.cdf(0.0), normal.cdf(1.0)
        tiny = 1e-300  # inv_cdf refuses 0 and 1 themselves
        quantiles = np.clip(low + time * (high - low), tiny, 1.0 - 1e-16).ravel()
        shares = [normal.inv_cdf(quantile) for quantile in quantiles.tolist()]
        inside = np.clip(np.asarray(shares, dtype=np.float64).reshape(time.shape), 0.0, 1.0)
        return np.where(time >= 1.0, 1.0, np.where(time <= 0.0, 0.0, inside))


@dataclass(frozen=True, slots=True)
class Staircase(Schedule):
    """`levels` equal-sized levels of t from `lowest` up to 1.0, each equally likely."""

    levels: int = 10
    lowest: float = 0.1

    def __post_init__(self) -> None:
        if self.levels < 2 or not 0.0 <= self.lowest < 1.0:
            raise ScheduleError(
                f"Staircase(levels={self.levels}, lowest={self.lowest}) has no stairs",
                fix="use levels >= 2 and lowest in [0, 1)",
            )

    def _share(self, time: Floats) -> Floats:
        top = self.levels - 1
        level = np.minimum(np.floor(time * self.levels), top)
        return (self.lowest * (top - level) + level) / top


@dataclass(frozen=True, slots=True)
class Mixture(ShareSampler):
    """The training mixture: some t = 1 exactly, some from a bell, the rest uniform.

    One uniform picks the part and, stretched back to [0, 1), the t within it.
    """

    full: float = 0.2
    bell: float = 0.6
    shape: Bell = Bell()

    def __post_init__(self) -> None:
        if self.full < 0 or self.bell < 0 or self.full + self.bell > 1 + 1e-12:
            raise ScheduleError(
                f"Mixture(full={self.full}, bell={self.bell}) leaves a negative uniform part",
                fix="use shares >= 0 that sum to at most 1",
            )

    @property
    def uniform(self) -> float:
        return max(0.0, 1.0 - self.full - self.bell)

    def _share(self, u: Floats) -> Floats:
        in_bell = (u - self.full) / max(self.bell, 1e-12)
        in_uniform = (u - self.full - self.bell) / max(self.uniform, 1e-12)
        shares = np.where(
            u < self.full + self.bell,
            self.shape._share(np.clip(in_bell, 0.0, 1.0)),
            np.clip(in_uniform, 0.0, 1.0),
        )
        return np.where(u < self.full, 1.0, shares)


def _unit(values: Floats | Sequence[float] | float) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.size and not (array.min() >= 0.0 and array.max() <= 1.0):
        raise ScheduleError("a time or uniform lies outside [0, 1]", fix="scale it into [0, 1]")
    return array
