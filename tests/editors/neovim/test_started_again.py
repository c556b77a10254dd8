"""A server that ends and one that comes after it, in a real Neovim: what holds for both."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.editors.neovim.test_server_life import TEXT, process_of_the_server, scripted
from tests.support.neovim import Neovim, running

LATER = """
    _G.later_ms = _G.later_ms or 0
    _G.real_now = _G.real_now or vim.uv.now
    _G.later_ms = _G.later_ms + ...
    vim.uv.now = function() return real_now() + later_ms end
"""
SNOOZED = "require('diffill').statusline() == 'diffill snoozed'"


def another_server(neovim: Neovim, first: int) -> None:
    neovim.wait(f"client() ~= nil and client().id ~= {first} and client().initialized")


def kill(neovim: Neovim, lived_ms: int = 11_000) -> None:
    """End a server that has lived so long."""
    neovim.lua(LATER, lived_ms)
    os.kill(process_of_the_server(neovim), signal.SIGKILL)


def test_a_snooze_outlives_the_server(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        neovim.command("Diffill snooze 60")
        neovim.hears("quiet for 60 minutes")
        first = neovim.lua("return client().id")
        kill(neovim)
        neovim.hears("is started again")
        another_server(neovim, first)
        neovim.wait(SNOOZED)
        left_s = neovim.lua("return client():request_sync('diffill/status', nil, 10000, 0)")
        assert 3500 < left_s["result"]["snoozedForS"] <= 3589
        second = neovim.lua("return client().id")
        neovim.command("Diffill restart")
        another_server(neovim, second)
        neovim.wait(SNOOZED)
        neovim.command("Diffill toggle")
        neovim.command("Diffill toggle")  # on again ends it
        neovim.wait("require('diffill').statusline() == 'diffill on'")
        third = neovim.lua("return client().id")
        neovim.command("Diffill restart")
        another_server(neovim, third)
        neovim.lua("client():request_sync('diffill/status', nil, 10000, 0)")
        assert neovim.lua("return require('diffill').statusline()") == "diffill on"


def test_a_snooze_holds_in_a_server_that_starts_later(version: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / ".git").mkdir(parents=True)
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("one/a.py", TEXT)
        neovim.command("Diffill snooze 60")
        neovim.hears("quiet for 60 minutes")
        neovim.open("two/a.py", TEXT)
        neovim.wait(SNOOZED)


def test_a_server_that_ends_again_and_again_stays_down(version: str, tmp_path: Path) -> None:
    """Three times in three minutes it is started again, as in VS Code; then a person is asked."""
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        for _ in range(3):
            first = neovim.lua("return client().id")
            kill(neovim)
            another_server(neovim, first)
        kill(neovim)
        neovim.hears("the server ended by signal 9; :checkhealth diffill")
        again = "one:find('is started again', 1, true)"
        assert neovim.lua(f"return #vim.tbl_filter(function(one) return {again} end, said)") == 3
        neovim.wait("client() == nil")
        neovim.command("Diffill restart")
        neovim.wait("client() ~= nil and client().initialized")
        first = neovim.lua("return client().id")
        kill(neovim)
        another_server(neovim, first)


def test_a_server_that_ends_now_and_then_is_started_again(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.open("a.py", TEXT)
        for _ in range(4):
            first = neovim.lua("return client().id")
            kill(neovim, 100_000)
            another_server(neovim, first)


def test_a_restart_enables_nothing_that_is_disabled(version: str, tmp_path: Path) -> None:
    with running(version, tmp_path, cmd=scripted(tmp_path)) as neovim:
        neovim.lua("vim.lsp.enable('diffill', false)")
        neovim.command("Diffill restart")
        neovim.hears('the server is not enabled; `:lua vim.lsp.enable("diffill")` starts it')
        assert not neovim.lua("return require('diffill.client').is_enabled()")
