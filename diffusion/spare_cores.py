"""How many threads the rest of the machine leaves to the model, request by request.

On a quiet machine every core is the model's; while a build or the tests run, a thread that shares
a core makes every parallel operation wait (docs/decisions/0007). So before a request the processor
times since the one before it are looked at: what other programs used of them is theirs.

Work at low priority (nice, on Linux) steps aside by itself and is not counted. A machine of more
than two cores always keeps one, for the editor that waits for the answer.

Invariants: at least one thread; no look costs more than a few system calls, and none is taken
twice within `_WINDOW_S`, since the system counts in hundredths of a second.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_S = 0.1
_MOST_TAKEN = 0.35
"""Of a core, by others: below it the core still counts as free."""
_WORKING = ("user", "system", "irq", "softirq", "steal", "interrupt", "dpc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor seconds since some moment: of everything, and of this process."""

    everything_s: float
    own_s: float


def cores() -> int:
    """The processor cores that this process may use."""
    return len(_allowed())


def _allowed() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def read_usage() -> Usage:
    """What the cores that this process may use have done so far."""
    import psutil  # here, since every command imports this file and few fill a hole

    every = psutil.cpu_times(percpu=True)
    mine = [every[core] for core in _allowed() if core < len(every)]
    own = psutil.Process().cpu_times()
    everything_s = sum(getattr(times, name, 0.0) for times in mine for name in _WORKING)
    return Usage(everything_s, own.user + own.system)


class SpareCores:
    """Follows the load; made when the process starts, so that the first request has a past."""

    def __init__(
        self,
        count: int | None = None,
        read: Callable[[], Usage] = read_usage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = cores() if count is None else count
        self._most = self._count if self._count <= 2 else self._count - 1
        self._read, self._clock = read, clock
        self._usage, self._at_s = read(), clock()
        self._threads = max(self._count - 1, 1)

    def threads(self) -> int:
        """How many the next request gets, from the load since the last one."""
        now_s = self._clock()
        passed_s = now_s - self._at_s
        if passed_s < _WINDOW_S:
            return self._threads
        usage = self._read()
        own_s = usage.own_s - self._usage.own_s
        others = max(usage.everything_s - self._usage.everything_s - own_s, 0.0) / passed_s
        self._usage, self._at_s = usage, now_s
        free = int(self._count - others + _MOST_TAKEN)
        self._threads = min(max(free, 1), self._most)
        return self._threads
