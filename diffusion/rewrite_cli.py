"""`diffill rewrite`: noise a selection of a file and restore it, from the command line.

Invariants: the file is not changed; with `--json`, stdout holds exactly one JSON document, on
failure too (`{"error": ...}`), and the exit status is then 2. torch is loaded after the input has
been checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.adapters.chosen import asked_adapter
from diffusion.document import offset_of, parse_position, range_of
from diffusion.errors import ConfigError
from diffusion.infill_cli import (
    MAX_ALTERNATIVES,
    AdapterOption,
    FileArgument,
    answered,
    check_range,
    language_of,
    read_named,
)
from diffusion.json_line import json_line
from diffusion.threads import follow

if TYPE_CHECKING:
    from diffusion.rewriting import RewriteResult

HELP = """Rewrite the text between two places of FILE and print it as a diff.

The tokens that the model finds least probable are masked, a share of them that --strength says,
and filled again with both sides in view. The file is not changed; piped into `patch`, the first
rewrite is made, and the others are comments. With --json the answer is one JSON document:
{"rewrites": [{"text", "score", "changed", "parses"}], "selection": {"start", "end"}, "masked",
"ms", "steps"}, and "reason" when there is no rewrite.
"""


def rewrite(
    file: FileArgument,
    begin: Annotated[
        str,
        typer.Option("--from", metavar="LINE:COL", help="line from 1, column from 0 in characters"),
    ],
    end: Annotated[str, typer.Option("--to", metavar="LINE:COL", help="the end, not included")],
    strength: Annotated[
        float, typer.Option(metavar="S", help="above 0: a touch; 1: written anew")
    ] = 0.5,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="L:C-L:C", help="a range that stays as it is; may be given again"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
    alternatives: Annotated[
        int, typer.Option(metavar="N", help=f"most rewrites shown, 1-{MAX_ALTERNATIVES}")
    ] = 3,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    adapter: AdapterOption = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="the language instead of the extension's")
    ] = None,
) -> None:
    """Rewrite a selection of FILE."""
    with answered(as_json):
        data = read_named(file)
        start = offset_of(data, parse_position(begin), name=str(file))
        stop = offset_of(data, parse_position(end), name=str(file))
        check_range("--alternatives", alternatives, 1, MAX_ALTERNATIVES)
        if not 0.0 < strength <= 1.0:
            raise ConfigError(f"--strength is {strength:g}", fix="give a share above 0, at most 1")
        if start >= stop:
            raise ConfigError(
                f"--from {begin} is not before --to {end}", fix="give the earlier place first"
            )
        chosen = language_of(file, data, language)
        kept = tuple(_inside(data, text, start, stop, str(file)) for text in keep or ())
        tuned = asked_adapter(adapter, model, file)
        result = _run(data, (start, stop), chosen, strength, alternatives, model, tuned, kept)
    if as_json:
        print(json_line(as_document(result, start, stop)))
    else:
        _show(data, start, stop, result, file.name)


def _inside(data: bytes, text: str, start: int, end: int, name: str) -> tuple[int, int]:
    """The range that `--keep` names. Raises ConfigError where it lies outside the selection."""
    first, last = range_of(data, text, name=name)
    if not start <= first <= last <= end:
        raise ConfigError(
            f"--keep {text} does not lie between --from and --to", fix="keep what is selected"
        )
    return first, last


def as_document(result: RewriteResult, start: int, end: int) -> dict[str, Any]:
    """A result in the form that programs read. Offsets are in bytes."""
    document: dict[str, Any] = {
        "rewrites": [
            {
                "text": found.text,
                "score": round(found.score, 4),
                "changed": round(found.changed, 4),
                "parses": found.parses,
            }
            for found in result.rewrites
        ],
        "selection": {"start": start, "end": end},
        "masked": result.masked,
        "ms": round(result.ms, 1),
        "steps": result.steps,
    }
    if not result.rewrites:
        document["reason"] = result.reason or "unknown"
    return document


def _run(
    data: bytes,
    selection: tuple[int, int],
    language: str,
    strength: float,
    alternatives: int,
    model: Path | None,
    adapter: Path | None,
    keep: tuple[tuple[int, int], ...],
) -> RewriteResult:
    threads = follow()
    from diffusion.infill import Infiller
    from diffusion.rewriting import RewriteRequest, rewrite

    infiller = Infiller.load(model, threads, adapter=adapter)
    asked = RewriteRequest(data, *selection, language, strength, alternatives, keep=keep)
    return rewrite(infiller, asked)


def _show(data: bytes, start: int, end: int, result: RewriteResult, name: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from diffusion.shown_diff import show_diff

    console = Console(highlight=False, soft_wrap=True)
    if not result.rewrites:
        console.print(f"nothing to offer: {result.reason or 'unknown'}", markup=False)
    for number, found in enumerate(result.rewrites, start=1):
        new = data[:start] + found.text.encode("utf-8") + data[end:]
        parses = "parses" if found.parses else "does not parse"
        facts = f"{number}. {found.changed:.0%} changed, score {found.score:.3f}, {parses}"
        console.print(Text(facts, style="bold"))
        show_diff(console, data, new, name, "rewritten", other=number > 1)
    console.print(
        f"{result.masked} tokens masked, {result.steps} steps, {result.ms:.0f} ms", markup=False
    )
