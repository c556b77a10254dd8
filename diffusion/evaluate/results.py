"""Result rows on disk: written line by line, and in place only once they are all there.

Rows go to `OUT.partial` next to `OUT`, each flushed as it comes, and the file takes its name
when the run is over: `OUT` is never half a run, and an interrupted run can be read in the
partial file. Something that is no regular file (a pipe, /dev/stdout) is written to directly.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from diffusion.errors import EvaluationError


class RowFile:
    """A context manager; `write` takes one row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._direct = path.exists() and not path.is_file()
        self.partial = path if self._direct else path.with_name(path.name + ".partial")
        try:
            self._file = self.partial.open("w", encoding="utf-8")
        except OSError as error:
            raise EvaluationError(
                f"cannot write {self.partial} ({error.strerror})", fix="give another --out"
            ) from error

    def write(self, row: dict[str, Any]) -> None:
        """Append one row and flush it. Lone surrogates are escaped, so any text is written."""
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
        self._file.close()
        if error is None and not self._direct:
            self.partial.replace(self.path)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a result file.

    Raises:
        EvaluationError: the file is missing or a line is no row.
    """
    rows = []
    try:
        for number, line in enumerate(path.read_text("utf-8").split("\n"), start=1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    raise EvaluationError(
                        f"{path.name}, line {number}: not JSON ({error})",
                        fix="give a file that `diffill eval --out` wrote",
                    ) from error
    except OSError as error:
        raise EvaluationError(
            f"cannot read {path} ({error.strerror})", fix="check the path"
        ) from error
    return rows
