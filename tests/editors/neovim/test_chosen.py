"""What a person turned to or asked for stays, whatever is offered unasked, in a real Neovim."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

TEXT = "def add(left, right):\n    \n"
ALONG = "return left"
"""After its first word, each suggestion is offered again, in the same order."""
WATCH = """
function _G.place()
  return vim.inspect({ vim.api.nvim_buf_get_changedtick(0), vim.api.nvim_win_get_cursor(0) })
end
_G.offered = nil
local one = client()
one.request = function(self, method, params, handler, buf)
  if method ~= "textDocument/inlineCompletion" or params.context.triggerKind ~= 2 then
    return getmetatable(one).__index.request(self, method, params, handler, buf)
  end
  local at = place()
  return getmetatable(one).__index.request(self, method, params, function(...)
    handler(...)
    _G.offered = at
  end, buf)
end
"""


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (
        answer("return ", "left + right", "left - right"),
        answer(ALONG, " + right", " - right"),
        answer("other = ", "left + 1", "left - 1"),
        answer("other = left", "(2)"),
    )
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        yield neovim


def opened(neovim: Neovim, typed: str) -> Path:
    path = neovim.open("a.py", TEXT)
    neovim.lua(WATCH)
    neovim.keys(f"jA{typed}")
    return path


def offered(neovim: Neovim) -> None:
    """Wait until the plugin has got what is offered unasked for the text and cursor of now."""
    neovim.wait("offered == place()")


@pytest.mark.parametrize(("typed", "along"), [("return ", " - right"), ("other = ", " - 1")])
def test_the_alternative_that_was_turned_to_stays_after_a_word_of_it(
    neovim: Neovim, typed: str, along: str
) -> None:
    path = opened(neovim, typed)
    neovim.shows(f"left +{along[2:]}")
    neovim.keys("<C-j>")
    neovim.shows(f"left{along} 2/2")
    neovim.keys("<C-f>")
    neovim.shows(along)
    offered(neovim)
    neovim.shows(along)
    neovim.keys("<C-l>")
    neovim.wait(f"vim.endswith(vim.api.nvim_get_current_line(), '{along}')")
    assert neovim.saved(path).decode() == TEXT.replace("    \n", f"    {typed}left{along}\n")


def test_it_stays_while_typing_along_and_goes_with_the_first_other_letter(neovim: Neovim) -> None:
    opened(neovim, "return ")
    neovim.shows("left + right")
    neovim.keys("<C-j>left")
    offered(neovim)
    neovim.shows(" - right")
    neovim.keys("<BS><BS><BS><BS>")
    offered(neovim)
    neovim.shows("left - right")
    neovim.keys("x")
    offered(neovim)
    neovim.keys("<BS>")
    neovim.shows("left + right")


@pytest.mark.parametrize("quiet", ["manual", "snoozed"])
def test_what_was_asked_for_stays_where_nothing_is_offered_unasked(
    neovim: Neovim, quiet: str
) -> None:
    path = opened(neovim, "<Esc>")
    if quiet == "manual":
        neovim.lua("require('diffill').configure({inline = {trigger = 'manual'}})")
    else:
        neovim.command("Diffill snooze 5")
        neovim.hears("quiet for 5 minutes")
    neovim.keys("jAreturn ")
    offered(neovim)
    assert neovim.ghost() is None
    neovim.keys("<C-g>t")
    neovim.wait("ghost() and vim.startswith(ghost().lines[1], 'left + right')")
    neovim.keys("<C-f>")
    neovim.wait("vim.endswith(vim.api.nvim_get_current_line(), 'return left')")
    offered(neovim)
    neovim.shows(" + right")
    neovim.keys("<C-l>")
    neovim.wait("vim.endswith(vim.api.nvim_get_current_line(), 'right')")
    assert neovim.saved(path) == b"def add(left, right):\n    return left + right\n"
    neovim.lua("require('diffill').configure({inline = {trigger = 'auto'}})")
    neovim.command("Diffill snooze 0")


def test_turning_passes_over_what_no_longer_fits(neovim: Neovim) -> None:
    opened(neovim, "return ")
    neovim.shows("left + right")
    neovim.keys("<C-j>left -")
    offered(neovim)
    neovim.shows(" right")
    neovim.keys("<C-j>")
    neovim.wait("ghost() and vim.startswith(ghost().lines[1], ' right')")
