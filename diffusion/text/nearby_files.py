"""The code files of a repository, those nearest to a file first, and the index of their lines.

Job: walk from a file's folder outwards, to its subfolders and to the one above, and read what
there is in the file's language until the index is full.

Invariants: only regular files below the root are read, none through a link and none that is left
alone (`ignored`); folders of other people's code (`VENDORED`), hidden ones, environments and other
repositories are not entered, unless the walk begins there; the order is the same for the same tree;
never raises. A call takes as long as the disk does: not for the event loop.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diffusion.text.ignored import IgnoreRules
from diffusion.text.languages import canonical, language_for_path
from diffusion.text.line_index import MOST_BYTES, LineIndex

VENDORED: Final = frozenset(
    {
        "vendor", "vendored", "_vendor", "_vendored_packages", "node_modules", "bower_components",
        "third_party", "third-party", "thirdparty", "3rdparty", "externals", "external",
        "_external", "extern", "extlibs", "site-packages", "locale", "locales", "translations",
        "i18n", "l10n", "fixtures", "testdata", "test_data", "test-data", "snapshots",
        "__snapshots__", "__pycache__", "min", "minified", "generated", "gen", "_generated",
        "baselines", "lib2to3_fixtures", "cassettes", "recordings", "encodings", "dist",
        "_deprecated_third_party", ".git", "umd", "unidata",
    }
)  # fmt: skip
"""Names, in lower case, of folders with code that nobody here writes."""
MOST_FILE_BYTES: Final = 200_000
MOST_FOLDERS: Final = 20_000
_MOST_LINE_BYTES: Final = 120
"""On average; what has longer lines was written by a program."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one walk found: the lines, by real path, and which folders it came through.

    `whole`: nothing was cut off. `ordinary`: the walk began where one from the root would have
    come by, too; then it is as good for every folder that it came through, if it is whole.
    """

    index: LineIndex
    folders: frozenset[Path] = frozenset()
    whole: bool = False
    ordinary: bool = False


def index_around(
    file: Path,
    root: Path,
    rules: IgnoreRules,
    *,
    language: str | None = None,
    most_bytes: int = MOST_BYTES,
    leave_out: Callable[[bytes], bool] = lambda data: False,
    stop: Callable[[], bool] = lambda: False,
) -> Reading:
    """Read the files around `file`, which is among them, in its language (else by its name).

    C and C++ count as one language. `leave_out`: what must not be quoted, whatever file it is in.
    `stop` is asked in every folder and before every file.
    """
    root, first = Path(os.path.realpath(root)), Path(os.path.realpath(file)).parent
    wanted = _family(canonical(language) if language else language_for_path(file))
    found: list[tuple[str, bytes]] = []
    folders: set[Path] = set()
    left, whole = most_bytes, True
    for folder, inside in _walk(first, root):
        if stop() or len(folders) == MOST_FOLDERS:
            whole = False
            break
        for path in inside:
            if _family(language_for_path(path)) != wanted or rules.check(path) is not None:
                continue
            data = None if stop() else _read(path)
            if data is None or leave_out(data):
                continue
            left -= len(data)
            if left >= 0:
                found.append((str(path), data))
        if left < 0:
            whole = False
            break
        folders.add(folder)
    ordinary = all(map(_is_entered, (f for f in (first, *first.parents) if root in f.parents)))
    return Reading(LineIndex.of(found, most_bytes), frozenset(folders), whole, ordinary)


def _walk(first: Path, root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Folders below `root` in the order of steps from `first`, each with its regular files.

    Nothing where `first` is not below `root`.
    """
    if first != root and root not in first.parents:
        return
    waiting, seen = deque([first]), {first}
    while waiting:
        folder = waiting.popleft()
        files, inside = _entries(folder)
        yield folder, files
        above = [folder.parent] if folder != root else []
        for other in (*inside, *above):
            if other not in seen and (other in above or _is_entered(other)):
                seen.add(other)
                waiting.append(other)


def _entries(folder: Path) -> tuple[list[Path], list[Path]]:
    """The regular files and the folders in a folder, each by name; no links."""
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    files.append(folder / entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(folder / entry.name)
    except OSError:
        pass
    return sorted(files), sorted(folders)


def _family(language: str) -> str:
    """C and C++ share their headers."""
    return "c" if language == "cpp" else language


def _is_entered(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name.lower() in VENDORED:
        return False
    try:
        return not (folder / "pyvenv.cfg").exists() and not (folder / ".git").exists()
    except OSError:
        return False


def _read(path: Path) -> bytes | None:
    """The text of a file that people write; None for any other, and for what cannot be read."""
    try:
        found = path.stat(follow_symlinks=False)
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_FILE_BYTES:
            return None
        with path.open("rb") as stream:
            data = stream.read(MOST_FILE_BYTES)
    except OSError:
        return None
    if b"\0" in data or len(data) > _MOST_LINE_BYTES * (data.count(b"\n") + 1):
        return None
    return data
