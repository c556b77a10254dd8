"""Rewrites and fills in a real Neovim that a person ends or asks for anew; and their undo steps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.test_drafts import (
    LINE,
    NONE,
    REWRITES,
    STATE,
    TEXT,
    drafts,
    filling,
    in_window,
    select,
    settle,
    started,
    step,
    title,
)
from tests.support.neovim import Neovim

NOTHING_ASKED = "next(client().requests) == nil"


@pytest.fixture(params=[True, False], ids=["drafts", "none"])
def neovim(version: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Neovim]:
    with started(version, tmp_path, drafts=request.param) as neovim:
        yield neovim
        assert neovim.lua("return vim.v.errmsg") == ""


def fill_asked(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.command("Diffill fill")
    neovim.wait("next(client().requests) ~= nil")
    step(neovim)


def test_a_fill_is_cancelled_by_command(neovim: Neovim) -> None:
    fill_asked(neovim)
    before = neovim.lua(STATE)
    neovim.command("new")  # wherever the cursor is
    neovim.command("Diffill cancel")
    assert neovim.lua("return said") == ["Diffill: cancelled"]
    neovim.command("close")
    assert drafts(neovim) == NONE
    step(neovim, 5)
    settle(neovim)
    assert neovim.lua(STATE) == before
    neovim.command("Diffill cancel")
    assert neovim.lua("return said") == ["Diffill: cancelled", "Diffill: nothing is under way"]


def test_of_a_fill_that_is_asked_for_twice_the_second_is_heard(neovim: Neovim) -> None:
    fill_asked(neovim)
    neovim.command("Diffill fill")
    step(neovim, 10)
    neovim.hears("2 holes filled")
    settle(neovim)
    assert neovim.lua("return #said") == 1


@pytest.mark.parametrize("key", ["q", "<Esc>"])
def test_closing_the_preview_ends_what_was_asked_for_in_it(neovim: Neovim, key: str) -> None:
    select(neovim, f"{LINE}\n", "wwv$h")
    step(neovim, 2)
    neovim.wait("(window() or ''):find('<CR> apply', 1, true)")
    neovim.keys("+")
    neovim.wait("next(client().requests) ~= nil")
    neovim.keys(key)
    neovim.wait("window() == nil")
    step(neovim, 5)
    settle(neovim)
    assert neovim.lua("return window()") is None
    assert neovim.lua("return said") in ([], {})
    assert drafts(neovim) == NONE


def preview(neovim: Neovim, strength: str) -> None:
    neovim.open("a.py", f"{LINE}\n")
    neovim.keys(f"wwv$h:Diffill rewrite {strength}<CR>")
    neovim.wait("next(client().requests) ~= nil")
    step(neovim, 2)
    neovim.wait("(window() or ''):find('<CR> apply', 1, true)")


def has_strength(neovim: Neovim, strength: str) -> None:
    part = f"'strength {strength}'"
    neovim.wait(f"vim.api.nvim_win_get_config(0).title[1][1]:find({part}, 1, true)")


def test_each_key_is_a_step_from_the_strength_that_was_asked_for(neovim: Neovim) -> None:
    preview(neovim, "0.3")
    neovim.keys("++")
    step(neovim, 10)
    has_strength(neovim, "0.7")
    assert neovim.lua("return said") in ([], {})


def test_a_step_from_a_cancelled_one_is_from_what_is_shown(neovim: Neovim) -> None:
    preview(neovim, "0.7")
    neovim.keys("+")
    neovim.wait("next(client().requests) ~= nil")
    neovim.command("Diffill cancel")
    neovim.keys("-")
    step(neovim, 10)
    has_strength(neovim, "0.5")


def test_a_cancel_in_the_preview_brings_its_rewrites_back(version: str, tmp_path: Path) -> None:
    with started(version, tmp_path) as neovim:
        in_window(neovim)
        neovim.command("Diffill cancel")
        neovim.wait("not window():find('▒', 1, true)")
        assert title(neovim).startswith("rewrite 1/2  strength 0.8")
        neovim.keys("<CR>")
        neovim.wait("window() == nil")
        assert neovim.lines() == f"total = {REWRITES[0]}".split("\n")


def test_a_fill_in_insert_mode_is_an_undo_step_of_its_own(version: str, tmp_path: Path) -> None:
    with started(version, tmp_path) as neovim:
        filling(neovim, text="x = ___\nlast = 1\n")
        neovim.keys("GA")
        neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
        step(neovim, 5)
        neovim.hears("1 hole filled")
        neovim.keys("zz<Esc>")
        neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
        assert neovim.lines() == ["x = one two three", "last = 1zz"]
        neovim.command("undo")
        assert neovim.lines() == ["x = one two three", "last = 1"]
        neovim.command("undo")
        assert neovim.lines() == ["x = ___", "last = 1"]


def test_what_was_typed_before_a_fill_is_a_step_too(version: str, tmp_path: Path) -> None:
    with started(version, tmp_path) as neovim:
        neovim.open("a.py", "x = ___\n")
        neovim.lua("vim.keymap.set('i', '<F2>', '<Cmd>Diffill fill<CR>')")
        neovim.keys("Go# typed<F2>")
        neovim.wait("next(client().requests) ~= nil")
        step(neovim, 5)
        neovim.hears("1 hole filled")
        neovim.keys("<Esc>")
        neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
        neovim.command("undo")
        assert neovim.lines() == ["x = ___", "# typed"]
