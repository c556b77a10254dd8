"""Files and folders that appear whole, and are on the disk once they have appeared.

Everything is written under another name, forced to the disk, and renamed; then the folder that
holds the name is forced too. A power cut leaves the old state or the new one. What a link leads to
is replaced, never the link; what is no file (`is_stream`) is written to as it is.

Names of what is being written hold the process's number, so that what a killed process has left can
be told from what another is writing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from diffusion.alive import is_alive

PART = ".part-"
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
"""How a file system says that it cannot force a folder to the disk: some of networks cannot."""
_OWNED = re.compile(r"-(\d+)-\w+$")
_ABANDONED_S = 86_400.0
"""Nothing takes so long to write; the number may be another process's by then."""
_MOST_LINKS = 40


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk, where the system has a way to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def is_stream(path: Path) -> bool:
    """Whether a name is no file's: a pipe, a device, /dev/stdout, even if that is in a file now.

    Such a name is the system's, and another file must not take it. Raises OSError.
    """
    return _descriptor(path) is not None or (path.exists() and not path.is_file())


def open_stream(path: Path) -> BinaryIO:
    """Write to what `is_stream` says is one; a descriptor goes on where it is. Raises OSError."""
    number = _descriptor(path)
    return open(path if number is None else os.dup(number), "wb")


def _descriptor(path: Path) -> int | None:
    """The open descriptor of this process that a name stands for, itself or through links."""
    own = re.compile(rf"/(?:dev|proc/{os.getpid()}(?:/task/\d+)?)/fd/(\d+)")
    name = os.path.abspath(path)
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(os.path.dirname(name))
        name = os.path.join(folder, os.path.basename(name))
        found = own.fullmatch(name)
        if found is not None:
            return int(found[1])
        if not os.path.islink(name):
            return None
        name = os.path.join(folder, os.readlink(name))
    return None


def write_file(path: Path, data: bytes) -> None:
    """Write or replace one file, with the mode that new files have, or write to a stream.

    Raises OSError, with what was there untouched.
    """
    if is_stream(path):
        with open_stream(path) as stream:
            stream.write(data)
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = owned(path.parent, PART)  # mkstemp's mode is for its owner only
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    sync_folder(path.parent)


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder with these files, which must not exist yet. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f"{PART}{os.getpid()}-", dir=folder.parent))
    try:
        for name, data in files.items():
            with (part / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        part.chmod(0o755)
        sync_folder(part)
        os.rename(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def owned(folder: Path, prefix: str) -> Path:
    """A name in `folder` for something of this process's that is not to stay; makes nothing."""
    return folder / f"{prefix}{os.getpid()}-{secrets.token_hex(8)}"


def remove_parts(folder: Path, prefix: str = PART) -> None:
    """Remove what a process that was killed has left under an `owned` name. Raises OSError."""
    for part in folder.glob(f"{prefix}*"):
        if not _is_left(part):
            continue
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def _is_left(part: Path) -> bool:
    """Whether no process is at work on this any more: its own is gone, or it is a day old."""
    try:
        if time.time() - part.lstat().st_mtime > _ABANDONED_S:
            return True
    except FileNotFoundError:
        return False
    owner = _OWNED.search(part.name)
    return owner is not None and not is_alive(int(owner[1]))
