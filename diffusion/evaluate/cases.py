"""Case files: one JSON object per line, a document with a hole and the text that was in it.

A case has at least `task_id, language, prefix, middle, suffix`, all strings; `middle` is the
reference for the text between `prefix` and `suffix`. Optional keys are read when present:
`hole` (the kind of hole, for reports by kind), `group` (what it shares with other cases, such as
their problem or file; see `groups`), `test`, `entry_point`, `test_kind` and `canonical_ok` (for
execution). Anything else is ignored. Files may be gzipped, or be a pipe.

Text may hold lone surrogates (JSON can spell them): `to_bytes` writes them as three bytes
each (`surrogatepass`), and `to_text` reads any bytes back, so no case can stop a run.
"""

from __future__ import annotations

import codecs
import gzip
import json
import random
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.errors import EvaluationError
from diffusion.evaluate.groups import problem_of

_REQUIRED = ("task_id", "language", "prefix", "middle", "suffix")
_OPTIONAL_TEXT = ("hole", "group", "test", "entry_point", "test_kind")


@dataclass(frozen=True, slots=True)
class Case:
    """One hole with its reference. `hole` names its kind where the file says so.

    `group`: what it shares with other cases; None where it stands for itself.
    """

    task_id: str
    language: str
    prefix: str
    middle: str
    suffix: str
    hole: str | None = None
    group: str | None = None
    test: str | None = None
    entry_point: str | None = None
    test_kind: str | None = None
    canonical_ok: bool = True

    @property
    def text_without_middle(self) -> bytes:
        """The document with the hole closed up: what an editor holds before completing."""
        return to_bytes(self.prefix) + to_bytes(self.suffix)

    @property
    def cursor(self) -> int:
        """Byte offset of the hole in `text_without_middle`."""
        return len(to_bytes(self.prefix))


def to_bytes(text: str) -> bytes:
    """UTF-8, with lone surrogates let through as three bytes each."""
    return text.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """UTF-8 read back; lone surrogates return, other invalid bytes become U+FFFD."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


def read_cases(
    path: Path | str, *, limit: int | None = None, sample: int | None = None
) -> list[Case]:
    """Read a case file.

    Args:
        path: `*.jsonl` or `*.jsonl.gz`; gzip is told by content, not by name.
        limit: keep the first `limit` cases, in file order.
        sample: keep a fixed random subset of this size (the same every time), in file
            order, taken before `limit`.

    Raises:
        EvaluationError: the file is missing, unreadable or empty, or a line is no case; the
            message names the line and the key.
    """
    for name, count in (("--limit", limit), ("--sample", sample)):
        if count is not None and count < 1:
            raise EvaluationError(f"{name} is {count}", fix="give a number of cases from 1 up")
    path = Path(path)
    cases: list[Case] = []
    for number, line in _lines(path):
        cases.append(parse_case(line, where=f"{path.name}, line {number}"))
        if sample is None and limit is not None and len(cases) == limit:
            break
    if not cases:
        raise EvaluationError(f"{path.name} holds no cases", fix="give a file with one per line")
    if sample is not None and sample < len(cases):
        kept = sorted(random.Random(0).sample(range(len(cases)), sample))
        cases = [cases[i] for i in kept]
    return cases[:limit]


def read_case_files(
    named: Sequence[str], *, limit: int | None = None, sample: int | None = None
) -> dict[str, list[Case]]:
    """The cases of several files by the file's name without its ending.

    Args:
        named: paths, each `FILE` or, for a fixed random N of its cases, `FILE:N`.
        limit: see `read_cases`.
        sample: see `read_cases`; for the files that say no number.

    Raises:
        EvaluationError: as `read_cases`, or two files go by the same name.
    """
    paths: dict[str, str] = {}
    found: dict[str, list[Case]] = {}
    for one in named:
        path, count = split_name(one)
        name = file_name(path)
        if name in paths:
            raise EvaluationError(
                f"{paths[name]} and {path} would both go by the name '{name}'",
                fix="rename one of them, or measure them one by one",
            )
        paths[name] = path
        found[name] = read_cases(path, limit=limit, sample=sample if count is None else count)
    return found


def split_name(named: str) -> tuple[str, int | None]:
    """The path of `FILE` or `FILE:N`, and N."""
    path, _, count = named.rpartition(":")
    return (path, int(count)) if path and count.isdigit() else (named, None)


def file_name(path: Path | str) -> str:
    """What a case file goes by: its name without its ending."""
    return Path(path).name.removesuffix(".gz").removesuffix(".jsonl")


def parse_case(line: str, *, where: str) -> Case:
    """One line of a case file as a `Case`; `where` opens every error message."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise EvaluationError(
            f"{where}: not JSON ({error})", fix="write one object per line"
        ) from None
    if not isinstance(record, dict):
        raise EvaluationError(
            f"{where}: a {type(record).__name__}, not an object", fix="write one object per line"
        )
    fields: dict[str, Any] = {}
    for key in _REQUIRED:
        if key not in record:
            raise EvaluationError(
                f"{where}: key '{key}' is missing", fix=f"a case needs {', '.join(_REQUIRED)}"
            )
        fields[key] = _text(record[key], key, where)
    for key in _OPTIONAL_TEXT:
        if record.get(key) is not None:
            fields[key] = _text(record[key], key, where)
    fields.setdefault("group", problem_of(fields["task_id"]))
    fields["canonical_ok"] = record.get("canonical_ok") is not False
    return Case(**fields)


def duplicate_ids(cases: list[Case]) -> int:
    """How many cases carry a task id that an earlier one has used."""
    return len(cases) - len({case.task_id for case in cases})


def _text(value: object, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise EvaluationError(
            f"{where}: key '{key}' is a {type(value).__name__}", fix="make it a string"
        )
    return value


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered non-blank lines. Splits at newline bytes only: U+2028 is no line end here.

    The file is opened once: of a pipe, what was read is gone.
    """
    try:
        with path.open("rb") as file:
            gzipped = file.peek(2)[:2] == b"\x1f\x8b"
            lines: Iterable[bytes] = gzip.GzipFile(fileobj=file) if gzipped else file
            for number, raw in enumerate(lines, start=1):
                line = raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw
                if line.strip():
                    yield number, line.decode("utf-8")
    except FileNotFoundError:
        raise EvaluationError(f"there is no case file {path}", fix="check the path") from None
    except IsADirectoryError:
        raise EvaluationError(
            f"{path} is a folder", fix="name a file of cases, .jsonl or .jsonl.gz"
        ) from None
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path.name} is not UTF-8 ({error})", fix="re-encode it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise EvaluationError(
            f"{path.name} cannot be read ({error})", fix="it is damaged: fetch it again"
        ) from None
    except OSError as error:
        raise EvaluationError(
            f"{path} cannot be read ({error.strerror or error})", fix="check its permissions"
        ) from None
