"""What the server says over stdio, written by a thread of its own.

A client that has stopped reading, or is gone while another process holds the pipe, keeps a write
waiting for ever. Invariants: messages go out whole and in order; to say one never waits, so that
the event loop hears of the end of stdin, of the client's and of Ctrl-C; after a write that failed
nothing is written any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO


class PatientWriter:
    """What pygls writes messages to."""

    def __init__(self, stdout: BinaryIO) -> None:
        self._stdout = stdout
        self._waiting: SimpleQueue[bytes | None] = SimpleQueue()
        self._on_broken: Callable[[], object] = lambda: None
        self._thread = Thread(target=self._run, name="stdout", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Say a message, soon."""
        self._waiting.put(data)

    async def broken(self) -> None:
        """Come back when the client has closed its end; await it before the first message."""
        loop, found = asyncio.get_running_loop(), asyncio.Event()
        self._on_broken = lambda: loop.call_soon_threadsafe(found.set)
        await found.wait()

    def close(self) -> None:
        """Say nothing more."""
        self._waiting.put(None)

    def has_ended(self, most_s: float) -> bool:
        """After `close`: whether all that was said is written, or cannot be; waits so long."""
        self._thread.join(most_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (data := self._waiting.get()) is not None:
                self._stdout.write(data)
                self._stdout.flush()
        except OSError:
            with suppress(RuntimeError):  # the loop is closed, and nobody asks any more
                self._on_broken()
