"""Cancellation: how the owner of a request stops work that runs on another thread.

A `CancelToken` is handed down to whatever may take long; that code calls
`raise_if_cancelled` between units of work (one denoising step, one training step). Nothing
is interrupted in the middle of a unit. A token goes from live to cancelled once and stays
there; all methods may be called from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Cancelled(Exception):
    """The request was cancelled by its owner. Not a `DiffillError`: nothing went wrong."""

    def __init__(self, reason: str = "cancelled") -> None:
        super().__init__(reason)
        self.reason = reason


class CancelToken:
    """A one-way switch from live to cancelled."""

    __slots__ = ("_event", "_listeners", "_lock", "_reason")

    def __init__(self) -> None:
        self._event = threading.Event()
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._reason = "cancelled"

    def cancel(self, reason: str = "cancelled") -> None:
        """Switch to cancelled. Only the first reason is kept."""
        with self._lock:
            if self._event.is_set():
                return
            self._reason = reason
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def listen(self, on_cancel: Callable[[], None]) -> None:
        """Call `on_cancel` once, on the thread that cancels; now, if that has happened already."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(on_cancel)
                return
        on_cancel()

    @property
    def is_cancelled(self) -> bool:
        return self._event.is_set()

    @property
    def reason(self) -> str:
        return self._reason

    def raise_if_cancelled(self) -> None:
        """Raise `Cancelled` if the owner has cancelled."""
        if self._event.is_set():
            raise Cancelled(self._reason)

    def wait(self, timeout_s: float) -> bool:
        """Block until cancelled or `timeout_s` seconds have passed; say whether cancelled."""
        return self._event.wait(timeout_s)
