"""Whether the person wants quiet: the toggle, and the snooze that ends by itself.

Neither is a setting: both last as long as the session. The toggle silences every suggestion, the
snooze those that nobody asked for. Invariant: time comes from the clock that was given, so what is
said of the same moment is always the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lsp_server.reasons import Reason

DEFAULT_MINUTES = 5.0
LONGEST_MINUTES = 24 * 60.0


class Pause:
    """The two switches of one session."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._off = False
        self._until_s: float | None = None

    def toggle(self) -> bool:
        """Turn suggestions off, or on again, which ends a snooze, too; whether they are on."""
        if self._off or self.snooze_left_s() > 0:
            self._off, self._until_s = False, None
        else:
            self._off = True
        return not self._off

    def snooze(self, minutes: float) -> None:
        """Be quiet for so long; 0 ends it."""
        self._until_s = self._clock() + 60 * minutes if minutes > 0 else None

    def snooze_left_s(self) -> float:
        """Seconds until automatic suggestions come back; 0 where nothing is snoozed."""
        return 0.0 if self._until_s is None else max(0.0, self._until_s - self._clock())

    def reason(self, *, automatic: bool) -> Reason | None:
        """Why a request gets nothing, if it does."""
        if self._off:
            return Reason.TOGGLED_OFF
        return Reason.SNOOZED if automatic and self.snooze_left_s() > 0 else None
