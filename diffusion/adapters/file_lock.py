"""Locks of open files, which processes hold against each other, and threads of one process, too.

Whatever ends a process gives back what it holds. Not every file system has such locks: some of
networks have none.
"""

from __future__ import annotations

import errno
import sys
from typing import IO

_HELD = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
"""How a system says that another one has the lock."""

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes], *, shared: bool) -> None:
        file.seek(1 << 20)  # far behind what others read of the file; it cannot be shared
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: IO[bytes], *, shared: bool) -> None:
        fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Take the lock of a file, until it is closed; False where another has it, or none can.

    Raises nothing.
    """
    try:
        _take(file, shared=shared)
    except OSError:
        return False
    return True


def lock_if_any(file: IO[bytes]) -> bool:
    """Take the lock of a file, until it is closed; True as well where the system has none."""
    try:
        _take(file, shared=False)
    except OSError as error:
        return error.errno not in _HELD
    return True
