"""`diffill infill`: fill one hole of a file from the command line.

Invariants: with `--json`, stdout holds exactly one JSON document, on failure too
(`{"error": ...}`); what is shown to people about a failure is one line on stderr, and the
exit status is 2. The JSON form is relied on from outside and only ever gains keys. torch is
loaded after the input has been checked.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.adapters.chosen import asked_adapter
from diffusion.document import offset_of, parse_position, read_document
from diffusion.errors import ConfigError, DiffillError
from diffusion.json_line import json_line
from diffusion.refusal import check_stdout, refusal
from diffusion.threads import follow

if TYPE_CHECKING:
    from diffusion.infill import InfillResult
    from diffusion.text.line_index import LineIndex

MAX_SLOTS = 128
MAX_ALTERNATIVES = 8

FileArgument = Annotated[
    Path,
    typer.Argument(
        metavar="FILE", help="the file, in UTF-8",
        readable=False,  # `read_document` says it with the fix
    ),
]  # fmt: skip

AdapterOption = Annotated[
    str | None,
    typer.Option(
        "--adapter", metavar="NAME|DIR",
        help="with what tuning has made: an adapter of FILE's repository, or an adapter's folder",
    ),
]  # fmt: skip

RepositoryOption = Annotated[
    Path | None,
    typer.Option(
        "--repository", metavar="DIR", help="also quote from the other files of this folder"
    ),
]

HELP = """Fill the hole at LINE:COL of FILE and print what would go there.

The file is not changed. With --json the answer is one JSON document:
{"candidates": [{"text", "score", "tokens": [{"text", "p"}], "parses"}],
"hole": {"start", "end", "kind"}, "ms", "steps", "context_cached"}, and "reason" when there is
no candidate. A hole's start and end are byte offsets into the file.
"""


def infill(
    file: FileArgument,
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="LINE:COL", help="the cursor: line from 1, column from 0 in characters"
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
    length: Annotated[
        str,
        typer.Option(
            metavar="predicted|N",
            help=f"how long the hole may be: by the syntax, or 1-{MAX_SLOTS} tokens",
        ),
    ] = "predicted",
    alternatives: Annotated[
        int, typer.Option(metavar="N", help=f"most candidates shown, 1-{MAX_ALTERNATIVES}")
    ] = 3,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    adapter: AdapterOption = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="the language instead of the extension's")
    ] = None,
    deadline_ms: Annotated[
        float | None,
        typer.Option("--deadline-ms", metavar="MS", help="answer with the best so far after MS"),
    ] = None,
    repository: RepositoryOption = None,
) -> None:
    """Fill one hole of FILE."""
    with answered(as_json):
        data = read_named(file)
        cursor = offset_of(data, parse_position(at), name=str(file))
        slots = _slots(length)
        check_range("--alternatives", alternatives, 1, MAX_ALTERNATIVES)
        if deadline_ms is not None and not deadline_ms > 0:
            raise ConfigError(
                f"--deadline-ms is {deadline_ms:g}", fix="give a time above 0 milliseconds"
            )
        chosen = language_of(file, data, language)
        tuned = asked_adapter(adapter, model, file)
        others = None if repository is None else lines_of(repository, file, chosen)
        result = _run(data, cursor, chosen, slots, alternatives, deadline_ms, model, tuned, others)
    if as_json:
        print(json_line(as_document(result)))
    else:
        _show(data, result)


@contextmanager
def answered(as_json: bool, *, acts: bool = False) -> Iterator[None]:
    """While open, a known failure, or the system's, is told in both forms and ends the command.

    For the work only: what goes wrong while the answer is printed cannot be told there. `acts`:
    the work is of use where nobody can be answered, as stdout is closed.
    """
    try:
        if not acts:
            check_stdout()
        yield
    except (DiffillError, OSError) as error:
        said = refusal(error) if isinstance(error, OSError) else str(error)
        typer.echo(f"error: {said}", err=True)
        if as_json:
            print(json_line({"error": said}))
        raise typer.Exit(2) from error


def read_named(file: Path) -> bytes:
    """The text of FILE. What is ignored is read, since it was named; what holds secrets is not.

    Raises:
        ConfigError: its name says that it holds secrets.
        DocumentError: as `read_document` does.
    """
    from diffusion.text.ignored import IgnoreRules

    found = IgnoreRules().check(file)
    if found is not None and found.why == "secret":
        raise ConfigError(
            f"{file} is left alone: by its name it holds secrets ({found.pattern})",
            fix="if it holds none, give it another name",
        )
    return read_document(file)


def as_document(result: InfillResult) -> dict[str, Any]:
    """An infill result in the form that programs read."""
    document: dict[str, Any] = {
        "candidates": [
            {
                "text": candidate.text,
                "score": round(candidate.score, 4),
                "tokens": [
                    {"text": token.text, "p": round(token.p, 4)} for token in candidate.tokens
                ],
                "parses": candidate.parses,
            }
            for candidate in result.candidates
        ],
        "hole": {"start": result.hole.start, "end": result.hole.end, "kind": result.hole.kind},
        "ms": round(result.ms, 1),
        "steps": result.steps,
        "context_cached": result.context_cached,
    }
    if not result.candidates:
        document["reason"] = result.reason or "unknown"
    return document


def _run(
    data: bytes,
    cursor: int,
    language: str,
    length: str | int,
    alternatives: int,
    deadline_ms: float | None,
    model: Path | None,
    adapter: Path | None,
    repository: LineIndex | None,
) -> InfillResult:
    threads = follow()
    from diffusion.infill import Infiller, InfillRequest

    infiller = Infiller.load(model, threads, adapter=adapter)
    request = InfillRequest(
        text=data,
        cursor=cursor,
        language=language,
        length=length,
        alternatives=alternatives,
        deadline_ms=deadline_ms,
        repository=repository,
    )
    return infiller.infill(request)


def lines_of(repository: Path, file: Path, language: str) -> LineIndex:
    """What an editor with the folder open would read beside the file; ConfigError for no folder."""
    if not os.path.isdir(repository):  # a name that is too long names none, either
        raise ConfigError(f"--repository {repository} is no folder", fix="name an existing folder")
    root, real = repository.resolve(), file.resolve()
    if root not in real.parents:
        led = f" leads to {real}, which" if file.is_symlink() else ""
        raise ConfigError(
            f"{file}{led} does not lie in {repository}", fix="name a folder that holds the file"
        )
    from diffusion.data.secret_scan import holds_key
    from diffusion.text.ignored import IgnoreRules
    from diffusion.text.nearby_files import index_around

    rules = IgnoreRules([root])
    found = index_around(real, root, rules, language=language, leave_out=holds_key)
    return found.index.without({str(real)})


def _slots(length: str) -> str | int:
    if length == "predicted":
        return length
    if re.fullmatch("[0-9]{1,9}", length) is None:
        raise ConfigError(
            f"--length is {length!r}", fix=f"give 'predicted' or a number from 1 to {MAX_SLOTS}"
        )
    check_range("--length", int(length), 1, MAX_SLOTS)
    return int(length)


def check_range(option: str, value: int, least: int, most: int) -> None:
    """Raises ConfigError if a number on the command line is out of bounds."""
    if not least <= value <= most:
        raise ConfigError(f"{option} is {value}", fix=f"give a number from {least} to {most}")


def language_of(file: Path, data: bytes, asked: str | None) -> str:
    """The grammar asked for, or that of the file; an unknown one is said and read as text."""
    from diffusion.text import languages

    if asked is None:
        first_line = data[:200].split(b"\n", 1)[0]
        return languages.grammar_for_path(file, first_line)
    found = languages.grammar_name(asked)
    if found == languages.TEXT and asked.lower() != languages.TEXT:
        typer.echo(
            f"note: unknown language {asked!r}, read as plain text; known: "
            + ", ".join(languages.NAMES),
            err=True,
        )
    return found


def _show(data: bytes, result: InfillResult) -> None:
    from rich.console import Console
    from rich.text import Text

    from diffusion.terminal import (
        beside,
        has_colours,
        in_numbers,
        legend,
        printable,
        tokens_text,
    )

    console = Console(highlight=False, soft_wrap=True)
    colours = has_colours(console)
    if not result.candidates:
        console.print(f"nothing to offer here: {result.reason or 'unknown'}", markup=False)
    line_start = data.rfind(b"\n", 0, result.hole.start) + 1
    line_end = data.find(b"\n", result.hole.end)
    behind = data[result.hole.end : line_end if line_end >= 0 else len(data)].removesuffix(b"\r")
    left, right = beside(
        data[line_start : result.hole.start].decode("utf-8", "replace"),
        behind.decode("utf-8", "replace"),
    )
    for number, candidate in enumerate(result.candidates, start=1):
        parses = "parses" if candidate.parses else "does not parse"
        console.print(
            Text(f"{number}. score {candidate.score:.3f}, {parses}", style="bold"), soft_wrap=True
        )
        shown = Text(left, style="dim")
        pairs = [(token.text, token.p) for token in candidate.tokens]
        by_token = "".join(text for text, _ in pairs) == candidate.text
        if by_token:
            shown.append_text(tokens_text(pairs))
        else:
            shown.append(printable(candidate.text), style="bold")
        console.print(shown.append(right, style="dim"))
        if by_token and not colours:
            console.print(f"   sure: {in_numbers(pairs)}", markup=False)
    cached = "cached" if result.context_cached else "computed"
    facts = Text(
        f"{result.hole.kind} at byte {result.hole.start}; {result.steps} steps, "
        f"{result.ms:.0f} ms, context {cached}"
    )
    console.print(facts.append("; ").append_text(legend()) if colours else facts)
