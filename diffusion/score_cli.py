"""`diffill score`: how probable every word of a file is, and which look wrong.

Invariants: the file is not changed; with `--json`, stdout holds exactly one JSON document, on
failure too (`{"error": ...}`), and the exit status is then 2. torch is loaded after the input has
been checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.adapters.chosen import asked_adapter
from diffusion.document import line_spans
from diffusion.errors import ConfigError
from diffusion.infill_cli import (
    AdapterOption,
    FileArgument,
    answered,
    check_range,
    language_of,
    read_named,
)
from diffusion.json_line import json_line
from diffusion.suspicion import Suspicion, suspicious
from diffusion.threads import follow

if TYPE_CHECKING:
    from diffusion.scoring import ScoreResult

MOST_TOKENS = 1_000_000
MOST_SHOWN = 20
HELP = """Score every word of FILE and print those that look wrong.

A word is one where another of its sort (name, number, operator) would be likelier by --margin.
Most of what is printed is sound code that the model did not expect. With
--json the answer is one JSON document: {"words": [{"start", "end", "text", "p", "alternatives":
[{"text", "p"}]}], "suspicious": \\[indices of words], "end", "complete", "tokens", "ms"}; offsets
are in bytes.
"""


def score(
    file: FileArgument,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
    margin: Annotated[
        float, typer.Option(metavar="M", help="0 to 1: higher prints less")
    ] = 0.7,
    max_tokens: Annotated[
        int, typer.Option(metavar="N", help="stop after so many tokens of the file")
    ] = 20_000,
    code_only: Annotated[
        bool, typer.Option("--code-only", help="leave out strings and comments")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    adapter: AdapterOption = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="the language instead of the extension's")
    ] = None,
) -> None:
    """Score the words of FILE."""
    with answered(as_json):
        data = read_named(file)
        check_range("--max-tokens", max_tokens, 1, MOST_TOKENS)
        if not 0.0 <= margin <= 1.0:
            raise ConfigError(f"--margin is {margin:g}", fix="give a number from 0 to 1")
        chosen = language_of(file, data, language)
        tuned = asked_adapter(adapter, model, file)
        result = _run(data, chosen, max_tokens, code_only, model, tuned)
    found = suspicious(result.words, margin, len(result.words) if as_json else MOST_SHOWN)
    if as_json:
        print(json_line(as_document(result, found, len(data))))
    else:
        _show(data, result, found)


def as_document(result: ScoreResult, found: list[Suspicion], size: int) -> dict[str, Any]:
    """A result in the form that programs read."""
    place = {word.start: index for index, word in enumerate(result.words)}
    return {
        "words": [
            {
                "start": word.start,
                "end": word.end,
                "text": word.text,
                "p": round(word.p, 6),
                "alternatives": [{"text": a.text, "p": round(a.p, 6)} for a in word.alternatives],
            }
            for word in result.words
        ],
        "suspicious": [place[s.word.start] for s in found],
        "end": result.end,
        "complete": result.end == size,
        "tokens": result.tokens,
        "ms": round(result.ms, 1),
    }


def _run(
    data: bytes,
    language: str,
    max_tokens: int,
    code_only: bool,
    model: Path | None,
    adapter: Path | None,
) -> ScoreResult:
    threads = follow()
    from rich.console import Console
    from rich.progress import Progress

    from diffusion.infill import Infiller
    from diffusion.scoring import ScoreRequest, end_after, score

    infiller = Infiller.load(model, threads, adapter=adapter)
    end = end_after(infiller.tokenizer, data, max_tokens)
    asked = ScoreRequest(data, language, end=end, max_tokens=max_tokens, code_only=code_only)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("scoring", total=end)
        return score(
            infiller, asked, on_progress=lambda done, _: progress.update(task, completed=done)
        )


def _show(data: bytes, result: ScoreResult, found: list[Suspicion]) -> None:
    from rich.console import Console
    from rich.text import Text

    from diffusion.terminal import beside, printable

    console = Console(highlight=False, soft_wrap=True)
    spans = line_spans(data)
    for s in found:
        row = max(i for i, (start, _) in enumerate(spans) if start <= s.word.start)
        start, end = spans[row]
        column = len(data[start : s.word.start].decode("utf-8", "replace"))
        instead = ", ".join(f"{a.text} {a.p:.0%}" for a in s.instead)
        console.print(Text(printable(f"{row + 1}:{column} {s.word.text} {s.word.p:.1%}, rather "
                                     f"{instead}"), style="bold"))  # fmt: skip
        left, word, right = (
            data[a:b].decode("utf-8", "replace")
            for a, b in ((start, s.word.start), (s.word.start, s.word.end), (s.word.end, end))
        )
        left, right = beside(left, right)
        line = Text("    ").append(left, "dim").append(printable(word), "red")
        console.print(line.append(right, "dim"))
    part = "" if result.end == len(data) else f", up to byte {result.end} of {len(data)}"
    console.print(
        f"{len(result.words)} words scored{part}, {len(found)} suspicious, {result.ms:.0f} ms",
        markup=False,
    )
