"""What every benchmark script does alike: how it ends, and where it leaves its document.

Invariants: a known failure is one line on stderr and exit status 1; a place that cannot be written,
or would take that of another file, is told before anything is measured; what was measured is on
stdout, its last line one JSON document, before anything is saved. SIGTERM ends a script as an exit
does, so that it still tidies up.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusion.errors import DiffillError, EvaluationError
from diffusion.evaluate.results import check_apart, check_file, partial_of
from diffusion.train.signals import ended_by_sigterm

if TYPE_CHECKING:
    from diffusion.evaluate.infill_eval import Length

Place = tuple[str, Path | None]
"""An option, and the file that is written for it; None where it was not given."""


def as_script(main: Callable[[], None]) -> Callable[[], None]:
    """A script's `main`, with its known failures told in a line."""

    @functools.wraps(main)
    def told() -> None:
        try:
            with ended_by_sigterm():
                main()
        except DiffillError as error:
            sys.exit(f"error: {error}")

    return told


def check_places(
    *places: Place, read: Iterable[Path | str] = (), what: str = "the file of cases"
) -> None:
    """Make sure that all places can be written, none in the place of another or of what is read.

    Raises:
        EvaluationError: one cannot; `what` is said of a file that is read.
    """
    check_apart(places, map(Path, read), what)
    for option, path in places:
        if path is not None:
            check_file(path, option)


def row_file(folder: Path, file: str, filler: str, length: Length) -> Path:
    """Where `--rows` puts the rows of one run."""
    return folder / f"{file}.{filler}.{length}.jsonl"


def row_places(
    folder: Path | None, files: Iterable[str], fillers: Iterable[str], lengths: Iterable[Length]
) -> list[Place]:
    """All files that `--rows` writes."""
    if folder is None:
        return []
    lengths, fillers = list(lengths), list(fillers)
    named = [
        row_file(folder, file, filler, length)
        for file in files for filler in fillers for length in lengths
    ]  # fmt: skip
    return [("--rows", path) for one in named for path in dict.fromkeys((one, partial_of(one)))]


def finish(
    report: Mapping[str, Any], out: Path | None, *others: tuple[str, Path | None, str]
) -> None:
    """Print a script's document as the last line on stdout, then save it for `--out`.

    Args:
        report: the document.
        out: where it is saved.
        others: an option, the file that it asked for, and its text.

    Raises:
        EvaluationError: one cannot be written; the others have been.
    """
    sys.stdout.write(json.dumps(report) + "\n")
    failed: list[EvaluationError] = []
    for option, path, text in (*others, ("--out", out, json.dumps(report, indent=1) + "\n")):
        try:
            if path is not None:
                save(path, text, option)
        except EvaluationError as error:
            failed.append(error)
    if failed:
        raise failed[0]


def save(path: Path, text: str, option: str) -> None:
    """Write a file that `option` asked for, and make its folder.

    Raises:
        EvaluationError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EvaluationError(
            f"cannot write {path} ({error.strerror})", fix=f"give another {option}"
        ) from error
