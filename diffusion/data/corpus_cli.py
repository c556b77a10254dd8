"""`diffill corpus`: fetch packages, build shards, pack and report on them, train the tokenizer.

Thin: every command calls one function. The network is used by `fetch` alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from diffusion.data.corpus import build_corpus, training_text
from diffusion.data.fetch import fetch as fetch_sources
from diffusion.data.manifest import NAME as MANIFEST
from diffusion.data.manifest import load_manifest, report_lines
from diffusion.data.recipe import Lock, Source, load_recipe
from diffusion.errors import CorpusError, DiffillError
from diffusion.refusal import check_stdout

app = typer.Typer(
    help="Fetch, build and inspect the training corpus.",
    add_completion=False, no_args_is_help=True,
)  # fmt: skip

DEFAULT_RECIPE = Path(__file__).with_name("recipe.toml")
DEFAULT_TOKENIZER = Path(__file__).parent.parent / "pretrained" / "tokenizer.json"

RecipeOption = Annotated[Path, typer.Option(help="The recipe (TOML) that names the packages.")]
WorkOption = Annotated[Path, typer.Option(help="Folder for raw packages and surveys.")]


def _fail(error: DiffillError) -> typer.Exit:
    typer.echo(f"error: {error}", err=True)
    return typer.Exit(2)


def _warn_of_no_cases(file: Path) -> None:
    typer.echo(f"warning: {file} holds no evaluation case and is passed over", err=True)


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@app.command()
def fetch(
    work: WorkOption,
    recipe: RecipeOption = DEFAULT_RECIPE,
    lock: Annotated[Path | None, typer.Option(help="Lock file; default: beside recipe.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Fetch just these sources.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Downloads at once.")] = 4,
) -> None:
    """Download the recipe's packages (uses the network) and unpack their source files."""
    try:
        named = load_recipe(recipe).sources
        unknown = set(only or ()) - {source.name for source in named}
        if unknown:
            raise CorpusError(f"the recipe names no source {', '.join(sorted(unknown))}")
        wanted = [source for source in named if not only or source.name in only]
        with _bars() as bars:
            task = bars.add_task("fetch", total=len(wanted))

            def show(source: Source, outcome: Lock | CorpusError) -> None:
                bars.advance(task)
                if isinstance(outcome, CorpusError):
                    bars.console.print(f"{source.name}: failed", markup=False)

            fetch_sources(
                wanted,
                work,
                lock or recipe.with_suffix(".lock.json"),
                workers=workers,
                on_source=show,
            )
    except DiffillError as error:
        raise _fail(error) from error


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="Folder for shards and manifest.json.")],
    work: WorkOption,
    recipe: RecipeOption = DEFAULT_RECIPE,
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json.")] = DEFAULT_TOKENIZER,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(help="Evaluation cases (.jsonl[.gz] or folders) to keep out of the corpus."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print the totals as JSON.")] = False,
) -> None:
    """Filter, de-duplicate, decontaminate and tokenise what was fetched. Resumes."""
    try:
        with _bars() as bars:
            tasks = {}

            def show(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total)
                bars.update(tasks[stage], completed=done, total=total)

            manifest = build_corpus(
                recipe,
                out,
                work_dir=work,
                tokenizer=tokenizer,
                decontaminate=decontaminate or (),
                workers=workers,
                progress=show,
                on_passed_over=_warn_of_no_cases,
            )
    except DiffillError as error:
        raise _fail(error) from error
    if as_json:
        print(json.dumps({key: manifest[key] for key in ("tokens", "documents", "languages")}))
    else:
        print("\n".join(report_lines(manifest)))


@app.command()
def pack(
    corpus: Annotated[Path, typer.Option(help="Folder that `diffill corpus build` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the packs.")],
    max_mb: Annotated[int, typer.Option(min=1, help="Largest size of a pack, in MB.")] = 50,
    tokenizer: Annotated[Path, typer.Option(help="tokenizer.json.")] = DEFAULT_TOKENIZER,
) -> None:
    """Write the corpus as compressed packs, each a fair sample that can be trained on alone."""
    from diffusion.data.packs import read_header, write_packs
    from diffusion.text.tokenizer import Tokenizer

    try:
        words = Tokenizer.load(tokenizer)
        paths = write_packs(corpus, out, tokenizer_hash=words.hash, max_bytes=max_mb * 1_000_000)
        for path in paths:
            size = path.stat().st_size / 1e6
            print(f"{path}: {size:.1f} MB, {read_header(path).tokens:,} training tokens")
    except DiffillError as error:
        raise _fail(error) from error


@app.command("train-tokenizer")
def train_tokenizer(
    out: Annotated[Path, typer.Option(help="Where to write tokenizer.json.")],
    work: WorkOption,
    recipe: RecipeOption = DEFAULT_RECIPE,
    megabytes: Annotated[int, typer.Option(min=1, help="Text to learn from, in MB.")] = 150,
    decontaminate: Annotated[
        list[Path] | None, typer.Option(help="Evaluation cases to keep out.")
    ] = None,
) -> None:
    """Learn the vocabulary from the training split of what was fetched."""
    from diffusion.text.tokenizer_training import write_tokenizer

    try:
        text = training_text(
            recipe,
            work_dir=work,
            decontaminate=decontaminate or (),
            total_bytes=megabytes * 1_000_000,
            on_passed_over=_warn_of_no_cases,
        )
        tokenizer = write_tokenizer(text, out)
    except DiffillError as error:
        raise _fail(error) from error
    print(f"{out}: {tokenizer.vocab_size} tokens, hash {tokenizer.hash}")


@app.command()
def report(
    corpus: Annotated[Path, typer.Argument(help="A corpus folder or a manifest file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest.")] = False,
) -> None:
    """Print what a corpus holds and what was left out of it."""
    path = corpus / MANIFEST if corpus.is_dir() else corpus
    try:
        check_stdout()
        manifest = load_manifest(path)
    except DiffillError as error:
        raise _fail(error) from error
    print(json.dumps(manifest) if as_json else "\n".join(report_lines(manifest)))
