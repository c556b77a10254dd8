"""Suggestions switched off, snoozed, on again: what is shown goes, in every server, as is said."""

from __future__ import annotations

import pytest

from tests.support.neovim import Neovim

TEXT = "def f():\n    \n"
LINE = "require('diffill').statusline()"


@pytest.fixture(scope="module", autouse=True)
def two_roots(shared: Neovim) -> None:
    for name in ("one", "two"):
        (shared.folder / name / ".git").mkdir(parents=True)
    shared.command("set hidden")


@pytest.mark.parametrize(
    "off",
    ["vim.cmd('Diffill toggle')", "vim.cmd('Diffill snooze 5')",
     "require('diffill').setup({ghost = 'off'})"],
)  # fmt: skip
def test_what_is_shown_goes_and_is_not_accepted(neovim: Neovim, off: str) -> None:
    options = neovim.lua("return vim.deepcopy(require('diffill.options').current)")
    neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows("left + right")
    neovim.lua(off)
    neovim.wait("ghost() == nil")
    assert neovim.lua("return require('diffill').accept()") is False
    assert neovim.lines()[1] == "    return "
    neovim.keys("<Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    neovim.lua("require('diffill').setup(...)", options)
    neovim.lua("require('diffill').configure({enable = true})")
    neovim.command("Diffill snooze 0")
    neovim.hears("no longer quiet")
    neovim.wait(f"{LINE} == 'diffill on'")


def test_every_server_is_snoozed(neovim: Neovim) -> None:
    for name in ("one", "two"):
        neovim.open(f"{name}/a.py", TEXT)
    assert neovim.lua("return #vim.lsp.get_clients({name = 'diffill'})") >= 2
    neovim.command("Diffill snooze 5")
    neovim.hears("quiet for 5 minutes")
    for name in ("one", "two"):
        neovim.command(f"buffer {neovim.folder}/{name}/a.py")
        neovim.wait(f"{LINE} == 'diffill snoozed'")
    assert neovim.lua("return said") == ["Diffill: quiet for 5 minutes"]
    neovim.command("Diffill snooze 0")
    neovim.hears("no longer quiet")
    neovim.command(f"buffer {neovim.folder}/one/a.py")
    neovim.wait(f"{LINE} == 'diffill on'")


def test_on_again_ends_a_snooze(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.command("Diffill snooze 5")
    neovim.wait(f"{LINE} == 'diffill snoozed'")
    neovim.command("Diffill toggle")
    neovim.hears("suggestions are off")
    neovim.command("Diffill toggle")
    neovim.hears("suggestions are on")
    neovim.wait(f"{LINE} == 'diffill on'")
    neovim.keys("jAreturn ")
    neovim.shows("left + right")


def test_what_is_off_says_how_to_switch_it_on(neovim: Neovim) -> None:
    neovim.open("a.py", "x = ___\n")
    neovim.command("Diffill toggle")
    for command in ("rewrite", "fill", "bridge"):
        neovim.lua("for i = #said, 1, -1 do said[i] = nil end")
        neovim.command(f"Diffill {command}")
        neovim.hears("diffill.enable is off; :Diffill toggle turns it on")
    neovim.command("Diffill toggle")
    neovim.wait(f"{LINE} == 'diffill on'")
