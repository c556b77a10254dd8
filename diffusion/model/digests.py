"""SHA-256 of files, computed once while they stay the same.

A model's weights are hashed whenever they are loaded, and adapters whenever they are listed. What
the file system says of a file tells whether it may be another: device, number, size, and the times
of its last changes. Invariant: a file that changed within the last two seconds is hashed again, as
another change may have the same time (git's "racy" entries).
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import time
from pathlib import Path
from typing import Final

_PIECE_BYTES: Final = 1 << 23
"""Large, since a thread that hashes waits for the interpreter after each; and not of malloc's,
which would from then on take blocks of that size from its heap and keep them."""
_RACY_S: Final = 2.0
_MOST_KNOWN: Final = 256
_known: dict[tuple[int, ...], str] = {}
"""By several threads: what one of them loses is computed again."""


def sha256_of(path: Path) -> tuple[int, str]:
    """Size in bytes and hexadecimal SHA-256 of a file. Raises OSError."""
    with path.open("rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        stamp = (
            found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns,
        )  # fmt: skip
        digest = _known.get(stamp)
        if digest is None:
            digest = _hashed(file)
            changed_s = max(found.st_mtime_ns, found.st_ctime_ns) / 1e9
            if os.fstat(file.fileno()).st_mtime_ns == found.st_mtime_ns and (
                time.time() - changed_s > _RACY_S
            ):
                if len(_known) >= _MOST_KNOWN:
                    _known.clear()
                _known[stamp] = digest
    return found.st_size, digest


def _hashed(file: io.FileIO) -> str:
    found = hashlib.sha256()
    with mmap.mmap(-1, _PIECE_BYTES) as piece, memoryview(piece) as view:
        while read := file.readinto(view):
            found.update(view[:read])
    return found.hexdigest()
