"""Buffers without a name share one URI: one is served, and its text is what the server has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

NAME_IT = "another buffer without a name is served; give this one a name, by :write or :file"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (answer("x = ", "5"), answer("y = ", "7"), answer("return ", "left + right"))
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        neovim.command("set hidden")
        yield neovim


def nameless(neovim: Neovim, *lines: str) -> int:
    neovim.command("enew")
    neovim.lua("vim.api.nvim_buf_set_lines(0, 0, -1, true, ...)", lines)
    neovim.command("setlocal filetype=python")
    buf: int = neovim.lua("return vim.api.nvim_get_current_buf()")
    return buf


def two(neovim: Neovim) -> tuple[int, int]:
    """Two nameless buffers, the first of them served; the second is the current one."""
    first = nameless(neovim, "a = 1", "x = ___")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
    second = nameless(neovim, "y = ___")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) == 0")
    return first, second


def test_a_fill_is_for_the_text_of_its_own_buffer(neovim: Neovim) -> None:
    first, second = two(neovim)
    for command in ("fill", "rewrite", "bridge", "explain"):
        neovim.lua("for i = #said, 1, -1 do said[i] = nil end")
        neovim.command(f"Diffill {command}")
        neovim.hears(NAME_IT)
    assert neovim.lines() == ["y = ___"]
    neovim.command(f"buffer {first}")
    neovim.command("Diffill fill")
    neovim.hears("1 hole filled")
    assert neovim.lines() == ["a = 1", "x = 5"]
    neovim.command(f"bwipeout! {second}")
    neovim.keys("Goreturn ")
    neovim.shows("left + right")


@pytest.mark.parametrize("command", ["file", "silent write!"])
def test_it_is_served_when_it_has_a_name(neovim: Neovim, command: str) -> None:
    two(neovim)
    neovim.command(f"{command} {neovim.folder / 'named.py'}")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
    neovim.command("Diffill fill")
    neovim.hears("1 hole filled")
    assert neovim.lines() == ["y = 7"]


def test_after_a_restart_one_is_served(neovim: Neovim) -> None:
    first, _ = two(neovim)
    old = neovim.lua("return client().id")
    neovim.command("Diffill restart")
    neovim.wait(
        "local one = client()"
        f" return one and one.id ~= {old} and one.initialized"
        f" and vim.deep_equal(vim.tbl_keys(one.attached_buffers), {{{first}}})"
    )
    neovim.command(f"buffer {first}")
    neovim.command("Diffill fill")
    neovim.hears("1 hole filled")
    assert neovim.lines() == ["a = 1", "x = 5"]
