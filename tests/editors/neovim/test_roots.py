"""Several repositories, and files outside any, in a real Neovim: which server, and who is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.test_server_life import TEXT, scripted
from tests.support.neovim import Neovim, running

CLIENTS = "#vim.lsp.get_clients({name = 'diffill', _uninitialized = true})"


@pytest.fixture
def neovim(version: str, tmp_path: Path) -> Iterator[Neovim]:
    (tmp_path / "lib").mkdir()
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.command("set hidden")
        yield neovim


def test_a_file_outside_any_repository_joins_a_server(neovim: Neovim) -> None:
    neovim.open("one/a.py", TEXT)
    neovim.open("lib/os.py", TEXT)
    assert neovim.lua(f"return {CLIENTS}") == 1
    neovim.keys("jAreturn ")
    neovim.shows("left + right")
    neovim.keys("<Esc>")
    neovim.open("one/b.py", TEXT)
    assert neovim.lua(f"return {CLIENTS}") == 1


def test_each_repository_has_its_server(neovim: Neovim) -> None:
    """One is not joined by files of another repository, whose tuning it would not serve."""
    neovim.open("lib/os.py", TEXT)
    neovim.open("one/a.py", TEXT)
    neovim.open("two/a.py", TEXT)
    folders = neovim.lua(
        "return vim.tbl_map(function(one) return one.root_dir or '' end,"
        " vim.lsp.get_clients({name = 'diffill'}))"
    )
    assert sorted(folders) == ["", str(neovim.folder / "one"), str(neovim.folder / "two")]


@pytest.mark.parametrize("command", ["status", "train status", "model list"])
def test_a_person_is_asked_which_server_a_command_is_for(neovim: Neovim, command: str) -> None:
    neovim.open("one/a.py", TEXT)
    neovim.open("two/a.py", TEXT)
    neovim.lua(
        "vim.ui.select = function(all, options, done)"
        " _G.offered = vim.tbl_map(options.format_item, all)"
        " table.sort(offered) done(all[2]) end"
        " _G.chosen = vim.lsp.get_clients({name = 'diffill'})[2]"
        " chosen.request = function(_, method, _, callback) _G.asked = method"
        " callback(nil, {state = 'none'}) return true, 1 end"
    )
    neovim.command("enew")
    neovim.command(f"Diffill {command}")
    assert neovim.lua("return asked").startswith("diffill/")
    roots = [str(neovim.folder / name) for name in ("one", "two")]
    assert neovim.lua("return vim.tbl_map(vim.fs.normalize, offered)") == roots
    named = "' (' .. require('diffill.roots').name(chosen) .. ')'"
    shown = "vim.api.nvim_win_get_config(0).title or {{said[#said] or ''}}"
    neovim.wait(f"({shown})[1][1]:find({named}, 1, true)")


def test_in_a_buffer_of_a_server_nobody_is_asked(neovim: Neovim) -> None:
    neovim.open("one/a.py", TEXT)
    neovim.open("two/a.py", TEXT)
    neovim.lua("vim.ui.select = error")
    neovim.command("Diffill status")
    neovim.wait("(window() or ''):find('Normal:', 1, true)")
    title = neovim.lua("return vim.api.nvim_win_get_config(0).title[1][1]")
    assert title.endswith("two)")
