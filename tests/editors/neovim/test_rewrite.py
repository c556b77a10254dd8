""":Diffill rewrite in a real Neovim: line ends, what is selected, and when its window opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "total = first + second"
SUM = "sum(\r\n    first, second)"
NORMAL = "vim.api.nvim_get_mode().mode == 'n'"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (answer("total = ", SUM), answer("a = ___\n", "b = 8"))
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        yield neovim


def select(neovim: Neovim, keys: str) -> None:
    neovim.keys(keys)
    neovim.wait("vim.api.nvim_get_mode().mode == 'v'")


def test_a_rewrite_of_several_lines_has_the_line_ends_of_the_file(neovim: Neovim) -> None:
    path = neovim.open("a.py", f"{LINE}\r\nprint(1)\r\n")
    assert neovim.lua("return vim.bo.fileformat") == "dos"
    select(neovim, "0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("(window() or ''):find('+total = sum(', 1, true)")
    assert "\r" not in neovim.lua("return window()")
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.lines() == ["total = sum(", "    first, second)", "print(1)"]
    assert neovim.saved(path) == b"total = sum(\r\n    first, second)\r\nprint(1)\r\n"


def test_pinned_lines_are_found_in_a_rewrite_with_other_line_ends(neovim: Neovim) -> None:
    neovim.open("a.py", "total = sum(\r\n    first, second)\r\n")
    select(neovim, "0wwwvj$h")
    neovim.keys(":Diffill pin<CR>")
    neovim.hears("pinned")
    select(neovim, "gg0wwvj$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("(window() or ''):find('<CR> apply', 1, true)")
    assert "does not keep" not in neovim.lua("return window()")


@pytest.mark.parametrize(
    ("selection", "keys", "start", "stop"),
    [
        ("inclusive", "viw", 8, 13),
        ("exclusive", "viw", 8, 13),
        ("exclusive", "v", 8, 9),
        ("exclusive", "v$", 8, len(LINE)),
    ],
)
def test_what_is_selected_is_what_is_asked_for(
    neovim: Neovim, selection: str, keys: str, start: int, stop: int
) -> None:
    neovim.open("a.py", f"{LINE}\n")
    neovim.lua("vim.o.selection = ...", selection)
    neovim.lua(
        "_G.asked = nil client().request = function(self, method, params)"
        " _G.asked = params.range return true, 1 end"
    )
    select(neovim, f"0ww{keys}")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("asked ~= nil")
    neovim.lua("client().request = nil vim.o.selection = 'inclusive'")
    assert neovim.lua("return asked") == {
        "start": {"line": 0, "character": start},
        "end": {"line": 0, "character": stop},
    }


def test_one_line_is_a_range_for_a_fill(neovim: Neovim) -> None:
    neovim.open("a.py", "a = ___\nb = ___\nc = 1\n")
    neovim.command("2Diffill fill")
    neovim.hears("1 hole filled")
    assert neovim.lines() == ["a = ___", "b = 8", "c = 1"]
