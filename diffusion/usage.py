"""How the commands that answer in JSON tell that their options make no sense.

Invariant: as for any other failure of theirs, one line on stderr, with `--json` one document on
stdout (`{"error": ...}`), and exit status 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from diffusion.json_line import json_line

_UsageError: Any = typer.BadParameter.__mro__[1]  # click's, or the copy that newer typers bring


@contextmanager
def _told(ctx: Any, document: Callable[[str], dict[str, str]] | None) -> Iterator[None]:
    """While open, a mistake is told in one line, and in what `document` makes of it."""
    try:
        yield
    except _UsageError as error:
        said = " ".join(error.format_message().split()).rstrip(".")
        said += f"; `{ctx.command_path} --help` shows what it takes"
        typer.echo(f"error: {said}", err=True)
        if document is not None:
            typer.echo(json_line(document(said)))
        raise typer.Exit(2) from error


class AnsweringCommand(TyperCommand):
    """A command of which `--json` asks for one document, whatever happens."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, but for the form in which a mistake is told."""
        as_json = "--json" in args  # now: parsing takes them away
        with _told(ctx, self.document if as_json else None):
            return super().parse_args(ctx, args)

    def document(self, said: str) -> dict[str, str]:
        """A failure as `--json` tells it."""
        return _error(said)


class AnsweringGroup(TyperGroup):
    """Commands of that kind under one name, which is followed by a command, or the help."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As usual, but for the form in which it is told that there is no such command."""
        with _told(ctx, _error if "--json" in args else None):
            return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, but for the form in which a mistake before the command is told."""
        if not args:  # the help is asked for, in the form of a mistake
            return super().parse_args(ctx, args)
        with _told(ctx, _error if "--json" in args else None):
            return super().parse_args(ctx, args)


def _error(said: str) -> dict[str, str]:
    return {"error": said}
