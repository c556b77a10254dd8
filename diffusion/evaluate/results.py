"""Result rows on disk: written line by line, and in place only once they are all there.

Rows go to `OUT.partial` next to `OUT`, each flushed as it comes, and the file takes its name
when the run is over: `OUT` is never half a run, and an interrupted run can be read in the
partial file. Where `OUT` is a link, all of this happens where it leads to. Something that is no
regular file (a pipe, /dev/stdout, also if that is in a file) is written to directly.
Whoever writes only after long work asks first whether it can (`check_file`, `check_folder`), and
whether nothing takes the place of another file of the run (`check_apart`).
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

from diffusion.adapters.durable import is_stream, open_stream
from diffusion.errors import EvaluationError


class RowFile:
    """A context manager; `write` takes one row.

    Raises EvaluationError where the system refuses, but for a stream that nobody reads any more.
    """

    def __init__(self, path: Path) -> None:
        self._direct = is_stream(path)
        self.path = path if self._direct else Path(os.path.realpath(path))
        self.partial = partial_of(path)
        try:
            file = open_stream(path) if self._direct else self.partial.open("wb")
            self._file = TextIOWrapper(file, encoding="utf-8")
        except OSError as error:
            raise EvaluationError(
                f"cannot write {self.partial} ({error.strerror})", fix="give another --out"
            ) from error

    def write(self, row: dict[str, Any]) -> None:
        """Append one row and flush it. Lone surrogates are escaped, so any text is written."""
        with self._named():
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._named():
            self._file.close()
            if error is None and not self._direct:
                self.partial.replace(self.path)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """While open, what the system refuses is told with the names of both files."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise EvaluationError(
                f"cannot write {self.path} ({error.strerror})",
                fix=f"check the space on the disk; the rows so far are in {self.partial}",
            ) from error


def partial_of(path: Path) -> Path:
    """Where rows for `path` are written until they are all there."""
    if is_stream(path):
        return path
    real = Path(os.path.realpath(path))
    return real.with_name(real.name + ".partial")


def check_file(path: Path, option: str) -> None:
    """Make sure that a file can be written, and make its folder; `option` asked for it.

    A file that is there keeps what it holds, and where none is, none is left behind.

    Raises:
        EvaluationError: it cannot.
    """
    there = path.exists()
    if there and not path.is_file() and not path.is_dir():
        return  # a pipe or a device: opening it may wait
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise EvaluationError(
            f"cannot write {path} ({error.strerror})", fix=f"give another {option}"
        ) from error


def check_apart(
    written: Iterable[tuple[str, Path | None]],
    read: Iterable[Path] = (),
    what: str = "the file of cases",
) -> None:
    """Make sure that no file is written in the place of one that is read, or written already.

    Args:
        written: options, each with a file that is written for it (None: not asked for).
        read: files that the run reads.
        what: what they are.

    Raises:
        EvaluationError: two are the same file, by whatever names.
    """
    known = [(what, path) for path in read]
    for option, path in written:
        if path is None:
            continue
        for name, other in known:
            if _same_file(path, other):
                raise EvaluationError(
                    f"{option} {path} is {name}, which it would replace",
                    fix=f"give another {option}",
                )
        known.append((f"the file of {option}", path))


def _same_file(one: Path, other: Path) -> bool:
    """Whether two names stand for one file, which need not be there; pipes and devices do not."""
    if is_stream(one):
        return False
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return os.path.realpath(one) == os.path.realpath(other)


def check_folder(folder: Path, option: str) -> None:
    """Make sure that files can be put into a folder, and make it; `option` asked for it.

    Raises:
        EvaluationError: they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EvaluationError(
            f"cannot write to {folder} ({error.strerror})", fix=f"give another {option}"
        ) from error


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file.

    Raises:
        EvaluationError: the file is missing or a line is no row.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvaluationError(
            f"cannot read {path} ({error.strerror})", fix="check the path"
        ) from error
    lines = data.removeprefix(codecs.BOM_UTF8).split(b"\n")
    return [
        _row(line, f"{path.name}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _row(line: bytes, where: str) -> dict[str, Any]:
    fix = "give a file that `diffill eval --out` wrote"
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{where}: not UTF-8 ({error})", fix=fix) from error
    except (ValueError, RecursionError) as error:
        raise EvaluationError(f"{where}: not JSON ({error})", fix=fix) from error
    if not isinstance(row, dict):
        raise EvaluationError(f"{where}: a {type(row).__name__}, not an object", fix=fix)
    if not isinstance(row.get("task_id"), str):
        raise EvaluationError(f"{where}: key 'task_id' is missing, or is no string", fix=fix)
    return row
