"""Ghost text by key and by part in a real Neovim: why there is none, and what stays to be taken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "vim.api.nvim_get_current_line()"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (
        answer("make(", "\n    one,\n    two,\n", after=")"),
        answer("return ", "left + right"),
    )
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        yield neovim


def test_the_last_line_break_can_be_taken_too(neovim: Neovim) -> None:
    """Also where the server offers nothing for a rest without a character, which is played."""
    neovim.open("a.py", "\n")
    neovim.keys("Imake()<Left>")
    neovim.wait("ghost() ~= nil")
    neovim.lua(
        "local one = client() one.request = function(self, method, params, done, buf)"
        " return getmetatable(one).__index.request(self, method, params,"
        " method ~= 'textDocument/inlineCompletion' and done or function(err)"
        " done(err, {items = {}}) _G.answered = true end, buf) end"
    )
    for line in ("    one,)", "    two,)"):
        neovim.lua("_G.answered = false")
        neovim.keys("<C-g>l")
        neovim.wait(f"answered and {LINE} == '{line}' and ghost() ~= nil")
    neovim.keys("<C-g>l")
    neovim.wait(f"{LINE} == ')'")
    neovim.lua("client().request = nil")
    assert neovim.lines() == ["make(", "    one,", "    two,", ")"]


def test_the_rest_goes_where_it_does_not_fit(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    neovim.keys("Ireturn ")
    neovim.shows("left + right")
    neovim.keys("<C-f>")
    neovim.shows(" + right")
    neovim.keys("zz")
    neovim.wait("ghost() == nil")


def test_who_asks_by_key_hears_why_there_is_nothing(neovim: Neovim) -> None:
    neovim.open("a.py", "zzz\n")
    neovim.keys("A<C-g>t")
    neovim.hears("nothing is suggested here: ")
    trail = neovim.lua(
        "return client():request_sync('diffill/explainLast', {}, 10000, 0).result.message"
    )
    neovim.hears(trail)
    assert neovim.lua("return #said") == 1


def test_who_asks_by_key_hears_of_ignored_files(neovim: Neovim) -> None:
    (neovim.folder / ".diffillignore").write_text("left_alone.py\n")
    (neovim.folder / ".git").mkdir(exist_ok=True)
    neovim.open("left_alone.py", "return \n")
    neovim.keys("A<C-g>t")
    neovim.hears("nothing is suggested here: an ignore file or diffill.privacy.ignore")


def test_one_buffer_can_be_switched_off(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    neovim.lua("vim.b.diffill_enabled = false")
    assert neovim.lua("return require('diffill').statusline()") == "diffill off"
    neovim.lua(
        "_G.asked = 0 local one = client() one.request = function(self, method, ...)"
        " asked = asked + (method == 'textDocument/inlineCompletion' and 1 or 0)"
        " return getmetatable(one).__index.request(self, method, ...) end"
    )
    neovim.keys("Ireturn ")
    neovim.wait(f"{LINE} == 'return '")
    assert neovim.lua("return asked") == 0
    neovim.keys("<C-g>t")
    neovim.shows("left + right")
    neovim.keys("<Esc>")
    neovim.lua("vim.b.diffill_enabled = nil")
    neovim.open("b.py", "\n")
    neovim.keys("Ireturn ")
    neovim.shows("left + right")
    neovim.lua("client().request = nil")
