"""How long to wait for the next key before the model is asked (`inline.debounceMs`).

The rule of "adaptive": as long as answers come faster than keys there is nothing to wait for.
Where they do not, a request made in the middle of a burst of typing would be overtaken by the
next key, so it waits until that key is overdue. Invariants: never longer than `LONGEST_MS`;
after a pause there is no wait; the same keys and answers give the same wait.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Literal

LONGEST_MS = 250.0
_BURST_MS = 1000.0
"""Keys that are further apart belong to two bursts."""
_OVERDUE = 1.3
"""A key that takes so many times the usual gap is taken to be the last."""
_GAP_MS = 150.0
"""Between two keys of somebody of whom nothing is known."""
_NEW = 0.25
"""Weight of the newest gap, or answer, in the running mean."""


class Pace:
    """How fast one person types and one model answers, in running means."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_key_s: float | None = None
        self._gap_ms: float | None = None
        self._answer_ms: float | None = None

    def key(self) -> None:
        """A document changed."""
        now_s = self._clock()
        if self._last_key_s is not None:
            gap_ms = 1000 * (now_s - self._last_key_s)
            self._gap_ms = _mean(self._gap_ms, gap_ms) if gap_ms < _BURST_MS else None
        self._last_key_s = now_s

    @property
    def since_key_s(self) -> float:
        """Seconds since a document changed last; infinite before."""
        return math.inf if self._last_key_s is None else self._clock() - self._last_key_s

    @property
    def pause_s(self) -> float:
        """Seconds after a key from which on the next one is overdue."""
        gap_ms = _GAP_MS if self._gap_ms is None else self._gap_ms
        return min(_OVERDUE * gap_ms, LONGEST_MS) / 1000

    def answered(self, ms: float) -> None:
        """The model answered a request in so many milliseconds."""
        self._answer_ms = _mean(self._answer_ms, ms)

    def wait_ms(self, setting: int | Literal["adaptive"]) -> float:
        """How long an automatic request that arrives now is to wait."""
        if setting != "adaptive":
            return float(setting)
        if self._gap_ms is None or self._answer_ms is None or self._last_key_s is None:
            return 0.0
        if self._answer_ms <= self._gap_ms:
            return 0.0
        since_ms = 1000 * (self._clock() - self._last_key_s)
        return min(max(_OVERDUE * self._gap_ms - since_ms, 0.0), LONGEST_MS)


def _mean(mean: float | None, new: float) -> float:
    return new if mean is None else (1 - _NEW) * mean + _NEW * new
