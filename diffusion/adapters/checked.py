"""Adapters that were checked before in this process, so that their weights are not read again.

A fully tuned adapter has 66 MB, and to hash and look through them takes a quarter of a second: too
long for who lists several, or chooses one twice. What is loaded is read whole all the same
(`merge`).

Invariant: weights are passed over only if `manifest.check` accepted that file of that manifest, and
it has not been written to since; one that was written to just now is not trusted to tell.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from diffusion.adapters.manifest import WEIGHTS_FILE, AdapterManifest, Base, check, check_base, look
from diffusion.model.manifest import FileRecord

_SETTLED_NS = 2_000_000_000
"""A clock of a file system may stand still for so long, and a second write leave no trace."""

_State = tuple[int, int, int, int, int]
_sound: dict[Path, tuple[_State, FileRecord]] = {}
"""The weights files that were found sound: as what, and in which state."""


def checked(folder: Path, base: Base | None = None) -> AdapterManifest:
    """As `manifest.check`, but of weights that it accepted before. Raises AdapterError."""
    path = folder / WEIGHTS_FILE
    manifest, state = look(folder), _state(path)
    record = manifest.files[WEIGHTS_FILE]
    if state is None or _sound.get(path) != (state, record):
        manifest = check(folder)
        record = manifest.files[WEIGHTS_FILE]
        if state is not None and state == _state(path):  # nobody has written to it meanwhile
            _sound[path] = (state, record)
    if base is not None:
        check_base(manifest, base)
    return manifest


def _state(path: Path) -> _State | None:
    """What tells one state of a file from another; None where that is not certain yet."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    if time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) < _SETTLED_NS:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
