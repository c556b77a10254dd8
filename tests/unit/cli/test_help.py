"""`--help` shows what the texts say, brackets too."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from diffusion import fill_cli, infill_cli, rewrite_cli, score_cli
from lsp_server.commands import app


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("infill", infill_cli.HELP),
        ("rewrite", rewrite_cli.HELP),
        ("fill", fill_cli.FILL_HELP),
        ("bridge", fill_cli.BRIDGE_HELP),
        ("score", score_cli.HELP),
    ],
)
def test_nothing_of_a_help_text_is_taken_for_markup(command: str, text: str) -> None:
    shown = "".join(CliRunner().invoke(app, [command, "--help"]).stdout.split())
    assert "".join(text.replace("\\[", "[").split()) in shown


def test_a_paragraph_is_broken_where_the_terminal_ends() -> None:
    shown = CliRunner().invoke(app, ["fill", "--help"], env={"COLUMNS": "80"}).stdout
    lines = [line.strip() for line in shown.splitlines()]
    start = next(n for n, line in enumerate(lines) if line.startswith("The holes are"))
    paragraph = lines[start : lines.index("", start)]
    assert len(paragraph) > 3 and all(len(line) > 60 for line in paragraph[:-1])
