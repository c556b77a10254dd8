"""The commands of `diffill` that need no language server: infill, eval, corpus, pretrain, demo.

Invariants: importing this module loads neither torch nor transformers, so `--help` answers at
once; each command imports its own part when it runs. The groups (`eval`, `corpus`, `pretrain`)
live in files of their own, each a typer `app`, and get everything after their name as it is,
`--help` too. Nothing here opens a connection: transformers is told to stay offline.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib import metadata
from typing import Annotated

import typer

from diffusion import demo, fill_cli, infill_cli, rewrite_cli, score_cli
from diffusion.cancel import Cancelled
from diffusion.errors import DiffillError
from diffusion.libraries import offline_and_quiet
from diffusion.refusal import refusal
from diffusion.usage import AnsweringCommand

# Command -> (module with a typer `app`, the line in `diffill --help`).
GROUPS: dict[str, tuple[str, str]] = {
    "eval": ("diffusion.evaluate.eval_cli", "Measure infilling on a file of cases."),
    "calibrate": (
        "diffusion.evaluate.calibrate_cli",
        "Fit a model's ranking and scores to validation text.",
    ),
    "corpus": ("diffusion.data.corpus_cli", "Build the training corpus, and look into it."),
    "pretrain": ("diffusion.train.pretrain_cli", "Train a base model from a corpus."),
    "train": ("diffusion.train.tune_cli", "Tune the model on your repository, on your machine."),
    "adapters": ("diffusion.adapters.cli", "List, choose, carry and delete tuned adapters."),
}

TRAIN_MODULES = frozenset(("accelerate", "peft", "datasketch", "detect_secrets", "matplotlib"))
"""What the extra `train` installs (pyproject.toml): training needs it, serving does not."""

_HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
"""Of the context of an app; a command takes over those of the app above it."""


def add_commands(app: typer.Typer) -> None:
    """Register every command of this package on `app`."""
    for name, text, command in (
        ("infill", infill_cli.HELP, infill_cli.infill),
        ("rewrite", rewrite_cli.HELP, rewrite_cli.rewrite),
        ("fill", fill_cli.FILL_HELP, fill_cli.fill),
        ("bridge", fill_cli.BRIDGE_HELP, fill_cli.bridge),
        ("score", score_cli.HELP, score_cli.score),
    ):
        app.command(name, cls=AnsweringCommand, help=_paragraphs(text))(command)
    app.command("demo", help=_paragraphs(demo.HELP))(demo.demo)
    for name, (module, summary) in GROUPS.items():
        add_group(app, name, module, summary)


def _paragraphs(text: str) -> str:
    """A help text with each paragraph on one line, as typer breaks only what is too long."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def add_group(app: typer.Typer, name: str, module: str, summary: str) -> None:
    """Register command `name`, whose own typer `app` lives in `module`, without importing it."""

    def forward(context: typer.Context) -> None:
        group = importlib.import_module(module).app
        group(args=list(context.args), prog_name=f"diffill {name}", **_HELP_OPTIONS)

    app.command(
        name,
        help=summary,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(forward)


def run(app: typer.Typer, prog_name: str = "diffill") -> None:
    """Run a command line; a known failure, or the system's, is one line on stderr and status 2."""
    offline_and_quiet()
    try:
        try:
            app(prog_name=prog_name)
        finally:  # what cannot be written is to be known now, not when the interpreter ends
            if sys.stdout is not None:
                sys.stdout.flush()
    except DiffillError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAIN_MODULES:
            raise
        print(
            f"error: this command needs {error.name}, which is not installed; "
            f"run `{sys.executable} -m pip install 'diffill[train]'`",
            file=sys.stderr,
        )
        sys.exit(2)
    except Cancelled as stopped:
        print(f"stopped: {stopped.reason}", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader went away (`| head`)
        _silence_stdout()
        sys.exit(1)
    except OSError as error:
        said = refusal(error)
        _silence_stdout()
        print(f"error: {said}", file=sys.stderr)
        sys.exit(2)


def _silence_stdout() -> None:
    """Point stdout elsewhere, so that the flush at exit does not fail again."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def new_app() -> typer.Typer:
    """An empty top level: help text and `--version`, no command yet."""
    app = typer.Typer(
        help="Fill holes in code with a small diffusion-BERT on your own machine.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings=_HELP_OPTIONS,
    )

    @app.callback()
    def _root(
        version: Annotated[
            bool,
            typer.Option(
                "--version", is_eager=True, callback=_print_version, help="print the version"
            ),
        ] = False,
    ) -> None:
        if hasattr(sys.stdout, "reconfigure"):  # names and texts may hold what it has no form for
            sys.stdout.reconfigure(errors="replace")

    return app


def _print_version(asked: bool) -> None:
    if not asked:
        return
    try:
        print(f"diffill {metadata.version('diffill')}")
    except metadata.PackageNotFoundError:
        print("diffill, run from a checkout without being installed")
    raise typer.Exit()


app = new_app()
add_commands(app)


def main() -> None:
    """`python -m diffusion`."""
    run(app, prog_name="python -m diffusion")
