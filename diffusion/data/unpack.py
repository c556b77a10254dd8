"""Takes the code files out of an archive and leaves everything else.

Only files with an extension of a corpus language, up to 1 MB, outside vendored folders are
written; links, absolute paths and paths that climb out of the archive are never followed.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from diffusion.data.errors import FetchError
from diffusion.data.filters import language_of, skipped_path
from diffusion.data.recipe import Source

MAX_FILE_BYTES = 1_000_000


def wanted(name: str, size_bytes: int, source: Source) -> bool:
    """Whether an archive member is a code file this source may contribute."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not 0 < size_bytes <= MAX_FILE_BYTES:
        return False
    language = language_of(name)
    if language is None or (source.languages and language not in source.languages):
        return False
    if skipped_path(name):
        return False
    if any(fnmatchcase(name, pattern) for pattern in source.exclude):
        return False
    return not source.only or any(fnmatchcase(name, pattern) for pattern in source.only)


def _write(target: Path, name: str, read: Callable[[], bytes]) -> None:
    path = target / name
    if len(path.name.encode("utf-8", "surrogateescape")) > 200:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read())
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        return  # a file and a folder of one name: the first one stays


def unpack_archive(file: Path, target: Path, source: Source) -> int:
    """Write the wanted members of a zip, wheel or tar file below `target`; returns how many."""
    count = 0
    try:
        if file.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(file) as archive:
                for info in archive.infolist():
                    if not info.is_dir() and wanted(info.filename, info.file_size, source):
                        _write(target, info.filename, partial(archive.read, info))
                        count += 1
            return count
        with tarfile.open(file, "r:*") as tar:
            for member in tar:
                if member.isfile() and wanted(member.name, member.size, source):
                    stream = tar.extractfile(member)
                    if stream is not None:
                        _write(target, member.name, stream.read)
                        count += 1
        return count
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError) as error:
        raise FetchError(
            f"source {source.name!r}: {file.name} is not a readable archive ({error}); fetch again"
        ) from error


def copy_tree(folder: Path, target: Path, source: Source) -> int:
    """Copy the wanted files of an installed tree (the interpreter's own library)."""
    count = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and wanted(name, path.stat().st_size, source):
            _write(target, name, path.read_bytes)
            count += 1
    return count
