"""What a run makes of Ctrl-C and SIGTERM, while it is at work and no longer.

Invariant: nothing is printed by way of Python's files, which may be what a signal came upon.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_BOTH = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopped_by_signals(
    stop: Callable[[], None], saying: str, *, twice: bool = True
) -> Iterator[None]:
    """While open, the first signal calls `stop`; the second is KeyboardInterrupt, if `twice`."""
    asked = False
    words = saying + (" (once more ends it at once)" if twice else "") + "\n"

    def hear(*_: object) -> None:
        nonlocal asked
        if asked and twice:
            raise KeyboardInterrupt
        asked = True
        stop()
        with suppress(OSError):
            os.write(2, words.encode())

    with _handled(hear, *_BOTH):
        yield


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """While open, SIGTERM ends the process as an exit does, so that it still tidies up."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    with _handled(end, signal.SIGTERM):
        yield


@contextmanager
def _handled(handler: Callable[..., None], *numbers: signal.Signals) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)
