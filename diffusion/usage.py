"""How the commands that answer in JSON tell that their options make no sense.

Invariant: as for any other failure of theirs, one line on stderr, with `--json` one document on
stdout (`{"error": ...}`), and exit status 2.
"""

from __future__ import annotations

import json
from typing import Any

import typer
from typer.core import TyperCommand

_UsageError: Any = typer.BadParameter.__mro__[1]  # click's, or the copy that newer typers bring


class AnsweringCommand(TyperCommand):
    """A command of which `--json` asks for one document, whatever happens."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, but for the form in which a mistake is told."""
        as_json = "--json" in args  # now: parsing takes them away
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            said = " ".join(error.format_message().split()).rstrip(".")
            said += f"; `{ctx.command_path} --help` shows what it takes"
            typer.echo(f"error: {said}", err=True)
            if as_json:
                typer.echo(json.dumps(self.document(said)))
            raise typer.Exit(2) from error

    def document(self, said: str) -> dict[str, str]:
        """A failure as `--json` tells it."""
        return {"error": said}
