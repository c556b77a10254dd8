"""Every command has help, and the README names every command."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from lsp_server.commands import app
from tests.repo.tracked import ROOT

COMMANDS = sorted(
    str(command.name or command.callback.__name__)  # type: ignore[union-attr]
    for command in app.registered_commands
)


def test_there_are_commands() -> None:
    assert {"infill", "serve", "demo"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_help(name: str) -> None:
    answer = CliRunner().invoke(app, [name, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "usage" in answer.output.lower()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_a_command_does(name: str) -> None:
    command = next(c for c in app.registered_commands if (c.name or "") == name)
    assert command.help and command.help.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert f"`diffill {name}" in (ROOT / "README.md").read_text(encoding="utf-8")
