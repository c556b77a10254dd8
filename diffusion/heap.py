"""What glibc does with freed memory: kept in the process for training, given back by a server.

A training step frees and takes the same large tensors over and over. glibc hands blocks of this
size back to the system at once, and every next use pays a page fault for each 4 KiB; measured,
20 thousand faults a second. A server is the other way round: between requests, what it has freed
is 200 MB that other programs could use (docs/lab-notebook.md). And by itself glibc gives each
thread a heap of its own, so that what one has freed is no use to the others.

These functions do nothing where there is no glibc.
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 2**31 - 1


def keep_freed_memory() -> bool:
    """Raise glibc's thresholds for giving memory back; False where there is no glibc."""
    # glibc accepts mmap thresholds up to half of its maximal heap only, 32 MiB on 64 bit.
    return _set(_M_TRIM_THRESHOLD, _KEEP_BYTES) and _set(_M_MMAP_THRESHOLD, 32 << 20)


def share_one_heap() -> bool:
    """Let threads that are yet to come allocate from one heap; False where there is no glibc.

    Inference allocates a few large blocks from one thread after the other, so nobody waits.
    """
    return _set(_M_ARENA_MAX, 1)


def _set(option: int, value: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(option, value) == 1


def give_back_freed_memory() -> bool:
    """Return what is free in all of glibc's heaps to the system; some ten milliseconds.

    False where there is no glibc, or nothing to return.
    """
    if not sys.platform.startswith("linux"):
        return False
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1
