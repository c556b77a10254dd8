"""The processes for whose sake this one runs: a client's, as it and the command line name it.

A client that is killed leaves a server behind where another process holds the server's stdin.
Invariants: a process that was not there when it was named is never waited for, as its number may
be of another machine or container; a number that names no process is left alone.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

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


def is_alive(pid: int) -> bool:
    """Whether a process of this number exists, and is no zombie."""
    if pid <= 0:  # to `kill` these name groups of processes
        return False
    if os.name == "nt":  # where `os.kill` kills, whatever the signal
        import psutil  # here, since to import it takes a while, and only Windows needs it

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # there is no /proc on macOS
        return True
    return stat.rpartition(")")[2].split()[0] != "Z"
