"""Chooses a run's learning rate by trying a few, from low to high, for a few steps each.

Smith 2017 (learning rate range test), adapted: every rate starts from the same weights, since a
run that goes up through the rates cannot be compared with itself; what is judged is not the loss
of the steps but that on a slice of the training files, which no trial learns from and which has
nothing to do with the held-out files. It goes up until a rate does worse than the one before.

A few steps flatter high rates, because they end before the harm does. So the choice stands back:
half of the lowest rate that gained nearly as much as the best one.

Invariant: what is tried and chosen depends on the losses alone; the clock only decides, after the
first trial, whether there is time for all others, for every second one, or for none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

TIMES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""The rates that are tried, as multiples of the method's own."""
MOST_OF_BUDGET = 0.1
"""The test may take so much of a run's time."""
_NEARLY = 0.8
"""A rate with this share of the best one's gain did nearly as well."""
_WORSE = 0.002
"""Share of the loss; rising by less is no rise, since the rows are few."""
TESTED, TOO_LONG, NO_GAIN, GIVEN, NO_TEXT = (
    "tested", "too_long", "no_gain", "given", "too_little_text",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ChosenRate:
    """The rate of a run, and why it is this one."""

    rate: float
    why: str
    """`given`, `tested`, or for the method's own rate `too_long`, `no_gain`, `too_little_text`."""
    losses: dict[str, float | None] = field(default_factory=dict)
    """By rate; None where the loss was no number. The loss of the start is under "0"."""


def choose_rate(
    own_rate: float,
    start_loss: float,
    trial: Callable[[float], float | None],
    *,
    allowed_s: float,
    clock: Callable[[], float],
) -> ChosenRate | None:
    """Try rates around `own_rate`, which is the choice where the trials say nothing.

    `trial` trains a few steps at a rate from the start and gives back the loss that was reached
    (nats a token, NaN or infinity where it left the numbers), None where the run was told to stop;
    None is then the answer here, too. `allowed_s`: seconds, by `clock`, that all may take.
    """
    begun_s = clock()
    rates = [own_rate * times for times in TIMES]
    losses: dict[float, float] = {}
    while rates:
        rate = rates.pop(0)
        loss = trial(rate)
        if loss is None:
            return None
        before = min((x for x in losses.values() if math.isfinite(x)), default=start_loss)
        losses[rate] = loss
        if not math.isfinite(loss) or loss > before * (1.0 + _WORSE):
            break  # higher ones would only do worse
        if len(losses) == 1:
            most_trials = allowed_s / max(clock() - begun_s, 1e-9)
            if most_trials < len(TIMES):
                rates = rates[1::2]  # the method's own, and the highest
            if most_trials < 1 + len(rates):
                return ChosenRate(own_rate, TOO_LONG, _named(start_loss, losses))
    rate, why = _best(own_rate, start_loss, losses)
    return ChosenRate(rate, why, _named(start_loss, losses))


def _best(own_rate: float, start_loss: float, losses: dict[float, float]) -> tuple[float, str]:
    gains = {rate: start_loss - x for rate, x in losses.items() if math.isfinite(x)}
    most = max(gains.values(), default=0.0)
    lowest = own_rate * TIMES[0]
    if most <= 0.0:
        # Nothing learned in so few steps; where even the lowest did harm, begin no higher.
        harmed = start_loss * _WORSE < -gains.get(lowest, -math.inf)
        return (lowest, TESTED) if harmed else (own_rate, NO_GAIN)
    near = min(rate for rate, gain in gains.items() if gain >= _NEARLY * most)
    return max(lowest, 0.5 * near), TESTED


def _named(start_loss: float, losses: dict[float, float]) -> dict[str, float | None]:
    found = {f"{rate:g}": x if math.isfinite(x) else None for rate, x in losses.items()}
    return {"0": start_loss, **found}
