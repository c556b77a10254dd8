"""Whether another process is there.

Invariant: nothing is done to it.
"""

from __future__ import annotations

import os
from pathlib import Path


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
