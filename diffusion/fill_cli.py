"""`diffill fill` and `diffill bridge`: several holes, or lines at a place, from the command line.

Invariants: the file is changed with `--write` only; with `--json`, stdout holds exactly one JSON
document, on failure too (`{"error": ...}`), and the exit status is then 2. torch is loaded after
the input has been checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.adapters.chosen import asked_adapter
from diffusion.adapters.durable import owned
from diffusion.document import offset_of, parse_position, range_of
from diffusion.errors import ConfigError
from diffusion.infill_cli import (
    MAX_ALTERNATIVES,
    AdapterOption,
    FileArgument,
    RepositoryOption,
    answered,
    check_range,
    language_of,
    lines_of,
    read_named,
)
from diffusion.json_line import json_line
from diffusion.text.line_tasks import LineTask, bridge_task, comment_task
from diffusion.text.parts import MARKER, Span, find_markers, split
from diffusion.text.syntax import SyntaxTree
from diffusion.threads import follow

if TYPE_CHECKING:
    from diffusion.filling import FillResult
    from diffusion.infill import Infiller
    from diffusion.text.line_index import LineIndex

FILL_HELP = """Fill several holes of FILE together, so that they see each other.

The holes are the markers in the file (___), or ranges given by --hole; text inside a hole that
is to stay is given by --pin. --comment fills in the body below a comment or docstring instead.
The file is changed with --write only; piped into `patch`, the first fill is made, and the others
are comments. With --json the answer is one JSON document: {"fills": [{"texts", "score",
"parses"}], "holes": [{"start", "end"}], "ms", "steps"}, and "reason" when there is no fill,
or none for some of the holes. Offsets are in bytes.
"""
BRIDGE_HELP = """Write lines that connect what stands above and below LINE:COL of FILE.

On a blank line they take its place; elsewhere they become lines of their own. Options and the
JSON document are those of `diffill fill`.
"""

_Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]
_Write = Annotated[bool, typer.Option("--write", help="put the first fill into the file")]
_Count = Annotated[
    int, typer.Option("--alternatives", metavar="N", help=f"most shown, 1-{MAX_ALTERNATIVES}")
]
_Model = Annotated[
    Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
]
_Language = Annotated[
    str | None, typer.Option(metavar="NAME", help="the language instead of the extension's")
]


def fill(
    file: FileArgument,
    marker: Annotated[
        str | None, typer.Option(metavar="TEXT", help=f"what marks a hole, by default {MARKER}")
    ] = None,
    hole: Annotated[
        list[str] | None, typer.Option(metavar="L:C-L:C", help="a hole; may be given again")
    ] = None,
    pin: Annotated[
        list[str] | None, typer.Option(metavar="L:C-L:C", help="text in a hole that stays")
    ] = None,
    comment: Annotated[
        str | None, typer.Option(metavar="LINE:COL", help="a place in a comment or docstring")
    ] = None,
    as_json: _Json = False,
    write: _Write = False,
    alternatives: _Count = 1,
    model: _Model = None,
    adapter: AdapterOption = None,
    language: _Language = None,
    repository: RepositoryOption = None,
) -> None:
    """Fill holes of FILE together."""

    def read(data: bytes, chosen: str) -> _Work:
        if marker is not None and (hole or comment is not None):
            raise ConfigError(
                "--marker was given with --hole or --comment", fix="give one or the other"
            )
        if comment is not None:
            if hole or pin:
                raise ConfigError(
                    "--comment was given with --hole or --pin", fix="give one or the other"
                )
            tree = SyntaxTree.parse(data, chosen)
            place = offset_of(data, parse_position(comment), name=str(file))
            return comment_task(tree, data, place)
        holes = [range_of(data, text, name=str(file)) for text in hole or ()]
        pins = [range_of(data, text, name=str(file)) for text in pin or ()]
        words = {("hole", span): text for span, text in zip(holes, hole or (), strict=True)}
        words |= {("pin", span): text for span, text in zip(pins, pin or (), strict=True)}
        mark = MARKER if marker is None else marker
        holes = holes or find_markers(data, mark)
        if not holes:
            raise ConfigError(
                f"{file} holds no {mark}", fix="mark the holes, or give --hole L:C-L:C"
            )
        split(data, holes, pins, called=lambda kind, at: f"--{kind} {words[kind, at]} of {file}")
        if pins and not hole:
            raise ConfigError(
                f"--pin {words['pin', pins[0]]} of {file} lies in a marker, which goes as a whole",
                fix="give the hole around it with --hole L:C-L:C",
            )
        return holes, pins

    asked = _Asked(alternatives, model, adapter, language, repository)
    _run(file, read, asked, as_json=as_json, write=write)


def bridge(
    file: FileArgument,
    at: Annotated[str, typer.Option("--at", metavar="LINE:COL", help="line from 1, column from 0")],
    as_json: _Json = False,
    write: _Write = False,
    alternatives: _Count = 1,
    model: _Model = None,
    adapter: AdapterOption = None,
    language: _Language = None,
    repository: RepositoryOption = None,
) -> None:
    """Connect two blocks of FILE."""

    def read(data: bytes, chosen: str) -> _Work:
        return bridge_task(data, offset_of(data, parse_position(at), name=str(file)))

    asked = _Asked(alternatives, model, adapter, language, repository)
    _run(file, read, asked, as_json=as_json, write=write)


_Work = LineTask | tuple[list[Span], list[Span]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options that both commands have."""

    alternatives: int
    model: Path | None
    adapter: str | None
    language: str | None
    repository: Path | None


def _run(
    file: Path,
    read: Callable[[bytes, str], _Work],
    asked: _Asked,
    *,
    as_json: bool,
    write: bool,
) -> None:
    with answered(as_json, acts=write):
        data = read_named(file)
        check_range("--alternatives", asked.alternatives, 1, MAX_ALTERNATIVES)
        chosen = language_of(file, data, asked.language)
        work = read(data, chosen)
        tuned = asked_adapter(asked.adapter, asked.model, file)
        folder = asked.repository
        others = None if folder is None else lines_of(folder, file, chosen)
        result = _answer(data, work, chosen, asked, tuned, others)
        holes = [(work.start, work.end)] if isinstance(work, LineTask) else work[0]
        if write and result.fills:
            _write(file, data, filled(data, holes, result.fills[0].texts))
    try:
        if as_json:
            print(json_line(as_document(result, holes)))
        else:
            _show(data, holes, result, file.name)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        if write and result.fills:
            print(f"{file} has been filled all the same", file=sys.stderr)
        raise


def filled(data: bytes, holes: list[Span], texts: tuple[str, ...]) -> bytes:
    """The document with a text in every hole."""
    out, at = bytearray(), 0
    for (start, end), text in sorted(zip(holes, texts, strict=True)):
        out += data[at:start] + text.encode("utf-8")
        at = end
    return bytes(out + data[at:])


def as_document(result: FillResult, holes: list[Span]) -> dict[str, Any]:
    """A result in the form that programs read."""
    document: dict[str, Any] = {
        "fills": [
            {"texts": list(f.texts), "score": round(f.score, 4), "parses": f.parses}
            for f in result.fills
        ],
        "holes": [{"start": start, "end": end} for start, end in holes],
        "ms": round(result.ms, 1),
        "steps": result.steps,
    }
    if not result.fills or result.reason:
        document["reason"] = result.reason or "unknown"
    return document


def _answer(
    data: bytes,
    work: _Work,
    language: str,
    asked: _Asked,
    adapter: Path | None,
    repository: LineIndex | None,
) -> FillResult:
    threads = follow()
    from diffusion.bridging import carry_out
    from diffusion.filling import FillRequest, fill
    from diffusion.infill import Infiller

    infiller: Infiller = Infiller.load(asked.model, threads, adapter=adapter)
    holes, pins = ([], []) if isinstance(work, LineTask) else work
    request = FillRequest(
        data, tuple(holes), language, tuple(pins), asked.alternatives, repository=repository
    )
    if isinstance(work, LineTask):
        return carry_out(infiller, work, request)
    return fill(infiller, request)


def _write(file: Path, before: bytes, data: bytes) -> None:
    """Write the file, unless it no longer is what was filled: somebody may have saved it since.

    In place, so that owner, mode and links stay; and beside it first, under a name that nothing
    has, so that a full disk is met before anything is lost.
    """
    spare = owned(file.parent, f".{file.name[:40]}.filled-")
    if not _holds(file, before):
        raise ConfigError(f"{file} has changed meanwhile", fix="run the command again")
    try:
        with spare.open("xb") as beside:
            beside.write(data)
    except OSError as error:
        with suppress(OSError):
            spare.unlink()
        raise ConfigError(
            f"cannot write {spare}, where the text goes first: {error.strerror or error}",
            fix="check the folder's permissions and the space on the disk",
        ) from error
    try:
        file.write_bytes(data)
    except OSError as error:
        fix = f"the text is in {spare}"
        if _holds(file, before):
            spare.unlink()
            fix = "check its permissions and the space on the disk"
        raise ConfigError(f"cannot write {file}: {error.strerror or error}", fix=fix) from error
    spare.unlink()


def _holds(file: Path, data: bytes) -> bool:
    try:
        return file.read_bytes() == data
    except OSError:
        return False


def _show(data: bytes, holes: list[Span], result: FillResult, name: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from diffusion.shown_diff import show_diff

    console = Console(highlight=False, soft_wrap=True)
    if not result.fills:
        console.print(f"nothing to offer: {result.reason or 'unknown'}", markup=False)
    for number, found in enumerate(result.fills, start=1):
        parses = "parses" if found.parses else "does not parse"
        console.print(Text(f"{number}. score {found.score:.3f}, {parses}", style="bold"))
        made = filled(data, holes, found.texts)
        show_diff(console, data, made, name, "filled", other=number > 1)
    if result.fills and result.reason:
        console.print(result.reason, markup=False)
    count = "1 hole" if len(holes) == 1 else f"{len(holes)} holes"
    console.print(f"{count}, {result.steps} steps, {result.ms:.0f} ms", markup=False)
