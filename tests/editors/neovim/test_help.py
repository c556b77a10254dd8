""":help diffill works without :helptags, and its tags are those of the text."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.neovim import PLUGIN, running


def test_help_is_found(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=["no-such-diffill"]) as neovim:
        for tag in ("diffill", ":Diffill", "diffill-keys"):
            neovim.command(f"help {tag}")
            assert neovim.lua("return vim.fn.expand('%:t')") == "diffill.txt"


def test_the_tags_are_those_of_the_text(version: str, tmp_path: Path) -> None:
    """Where not: `:helptags editors/neovim/doc`."""
    doc = tmp_path / "doc"
    doc.mkdir()
    shutil.copy(PLUGIN / "doc" / "diffill.txt", doc)
    with running(version, tmp_path, cmd=["no-such-diffill"]) as neovim:
        neovim.command(f"helptags {doc}")
    assert (PLUGIN / "doc" / "tags").read_text() == (doc / "tags").read_text()
