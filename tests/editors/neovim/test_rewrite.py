""":Diffill rewrite in a real Neovim: line ends, what is selected, and when its window opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "total = first + second"
SUM = "sum(\r\n    first, second)"
READY = "the rewrite is ready; it opens in normal mode"
HOLD = """
-- The answer to a rewrite waits until `release` is called.
client().request = function(self, method, params, handler, buf)
  if not vim.startswith(method, "diffill/") then -- Neovim asks for diagnostics of a changed text
    return getmetatable(self).__index.request(self, method, params, handler, buf)
  end
  return getmetatable(self).__index.request(self, method, params, function(...)
    local answer = { ... }
    _G.release = function() handler(unpack(answer, 1, 2)) end
  end, buf)
end
"""


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



def asked_for(neovim: Neovim) -> None:
    """A rewrite is ready, and nobody has been told."""
    neovim.open("a.py", f"{LINE}\n")
    neovim.lua("_G.release = nil")
    neovim.lua(HOLD)
    select(neovim, "0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("release ~= nil")
    neovim.lua("client().request = nil")


@pytest.mark.parametrize(
    ("there", "typed", "back"),
    [("split b.txt<CR>i", "hello", "<Esc><C-w>p"), ("", "echo 'hello'", "<CR>")],
)
def test_the_window_takes_no_keys_from_who_types_elsewhere(
    neovim: Neovim, there: str, typed: str, back: str
) -> None:
    asked_for(neovim)
    neovim.keys(f":{there}{typed[:2]}")
    neovim.wait("vim.api.nvim_get_mode().mode:find('^[ic]')")
    neovim.lua("release()")
    neovim.hears(READY)
    neovim.keys(typed[2:])
    here = "vim.api.nvim_get_current_line()" if there else "vim.fn.getcmdline()"
    neovim.wait(f"{here} == [[{typed}]] and window() == nil")
    neovim.keys(back)
    neovim.wait("(window() or ''):find('+total = sum(', 1, true)")
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.lines() == ["total = sum(", "    first, second)"]


def test_the_window_waits_for_the_end_of_another_command(neovim: Neovim) -> None:
    asked_for(neovim)
    neovim.keys("d")
    neovim.wait("vim.api.nvim_get_mode().mode == 'no'")
    neovim.lua("release()")
    neovim.hears(READY)
    neovim.keys("<Esc>")
    neovim.wait("window() ~= nil")


def test_no_window_comes_for_a_text_that_changed_while_it_waited(neovim: Neovim) -> None:
    asked_for(neovim)
    neovim.keys("A")
    neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
    neovim.lua("release()")
    neovim.hears(READY)
    neovim.keys("x<Esc>")
    neovim.hears("the text has changed since the rewrite was made; ask again")
    assert neovim.lua("return window() == nil")


def test_an_answer_to_read_waits_too(neovim: Neovim) -> None:
    neovim.open("a.py", "x = 1\n")
    neovim.keys("A")
    neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
    neovim.command("Diffill status")
    neovim.hears("the answer (status) is ready; it opens in normal mode")
    neovim.keys("y<Esc>")
    neovim.wait("(window() or ''):find('Normal:', 1, true)")
    neovim.keys("q")
    neovim.wait("window() == nil")
    assert neovim.lines() == ["x = 1y"]


def test_a_rewrite_waits_also_while_other_answers_are_read(neovim: Neovim) -> None:
    asked_for(neovim)
    rewritten = neovim.lua("return vim.api.nvim_get_current_buf()")
    neovim.command("set hidden")
    neovim.open("b.py", "y = 1\n")
    neovim.lua("release()")
    neovim.hears(READY)
    neovim.command("Diffill status")
    neovim.wait("(window() or ''):find('Normal:', 1, true)")
    neovim.keys("q")
    neovim.wait("window() == nil")
    neovim.command(f"buffer {rewritten}")
    neovim.keys("A")
    neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
    neovim.command("Diffill status")
    neovim.hears("the answer (status) is ready")
    neovim.keys("<Esc>")
    neovim.wait("window() ~= nil")
    first = neovim.lua("return vim.api.nvim_buf_get_name(0)")
    neovim.keys("q")  # then the other one
    neovim.wait(f"window() ~= nil and vim.api.nvim_buf_get_name(0) ~= '{first}'")
    neovim.keys("q")
    neovim.wait("window() == nil")
    assert neovim.lua("return #said") == 2
