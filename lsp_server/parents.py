"""The processes for whose sake this one runs: a client's, as it and the command line name it.

A client that is killed leaves a server behind where another process holds the server's stdin.
Invariants: a process that was not there when it was named is never waited for, as its number may
be of another machine or container; a number that names no process is left alone.
"""

from __future__ import annotations

import asyncio

from diffusion.alive import is_alive

CHECK_S = 2.0


class Parents:
    """Processes, without one of which there is nothing left to do."""

    def __init__(self, check_s: float = CHECK_S) -> None:
        self._check_s = check_s
        self._pids: set[int] = set()

    def add(self, pid: int | None) -> None:
        """Watch a process, if it is there."""
        if pid is not None and is_alive(pid):
            self._pids.add(pid)

    async def gone(self) -> int:
        """Come back once one of them is gone: its number."""
        while True:
            for pid in self._pids:
                if not is_alive(pid):
                    return pid
            await asyncio.sleep(self._check_s)
