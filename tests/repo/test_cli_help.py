"""Every command has help, and the README names every command."""

from __future__ import annotations

import importlib

import pytest
import typer
from typer.testing import CliRunner

from diffusion.cli import GROUPS
from lsp_server.commands import app
from tests.repo.tracked import ROOT

COMMANDS = sorted(
    str(command.name or command.callback.__name__)  # type: ignore[union-attr]
    for command in app.registered_commands
)


def below(name: str) -> list[str]:
    """The subcommands of a command."""
    if name not in GROUPS:
        return []
    group = typer.main.get_command(importlib.import_module(GROUPS[name][0]).app)
    return [*getattr(group, "commands", ())]


def test_there_are_commands() -> None:
    assert {"infill", "serve", "demo"} <= set(COMMANDS)
    assert "import" in below("adapters")


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_help(name: str, option: str) -> None:
    for words in ([name], *([name, word] for word in below(name))):
        answer = CliRunner().invoke(app, [*words, option])
        assert answer.exit_code == 0, answer.output
        assert "usage" in answer.output.lower()


@pytest.mark.parametrize("name", GROUPS)
def test_no_group_offers_a_completion_of_its_own(name: str) -> None:
    """It would be written into the shell's start-up file for a program of the group's name."""
    group = importlib.import_module(GROUPS[name][0]).app
    offered = {option for each in typer.main.get_command(group).params for option in each.opts}
    assert not offered & {"--install-completion", "--show-completion"}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_a_command_does(name: str) -> None:
    command = next(c for c in app.registered_commands if (c.name or "") == name)
    assert command.help and command.help.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_every_command(name: str) -> None:
    assert f"`diffill {name}" in (ROOT / "README.md").read_text(encoding="utf-8")
