"""When training stands back: while somebody types, and while a request is under way.

Plain decisions over times that are handed in; no clock, no process, no protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

YIELD_MS = 2000
"""After a key or a request, training pauses so long; the next key prolongs it."""
IDLE_S = 300.0
"""After so long without a key or a request, nobody is at work."""
_REPEAT_MS = 500
"""A run that has been told to wait needs no second word so soon."""


@dataclass(slots=True)
class YieldPolicy:
    """Remembers until when training was told to wait."""

    yield_ms: int = YIELD_MS
    _told_ms: float = float("-inf")

    def touch(self, now_ms: float) -> int | None:
        """The user did something: milliseconds to wait that the run must be told, or None."""
        if now_ms - self._told_ms < _REPEAT_MS:
            return None
        self._told_ms = now_ms
        return self.yield_ms
