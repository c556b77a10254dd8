"""Ghost text where something comes between: a menu, a mode, a name, a text that may not change."""

from __future__ import annotations

import pytest

from tests.editors.neovim.conftest import SUM
from tests.support.neovim import Neovim

TEXT = "import os\ndef add(left, right):\n    \n"
OWN = (
    "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('diffill.ghost'), 0, -1, {})"
)
SEEN = """
_G.seen = {}
local group = vim.api.nvim_create_augroup("seen", {})
vim.api.nvim_create_autocmd("LspNotify", { group = group, callback = function(event)
  local method = event.data.method:match("^textDocument/did(%a+)$")
  if method == "Open" or method == "Close" then
    table.insert(seen, method .. " " .. event.data.params.textDocument.uri:match("[^/]*$"))
  end
end })
"""


def shown_with_a_menu(neovim: Neovim, done: str) -> None:
    """Ghost text, a completion menu over it, and what is done when the menu closes."""
    neovim.open("a.py", TEXT)
    neovim.command("set completeopt=menuone,noinsert")
    neovim.lua(
        "vim.api.nvim_create_autocmd('CompleteDone', {buffer = 0, once = true,"
        f" callback = function() {done} _G.closed = true end}}) _G.closed = false"
    )
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])
    neovim.lua("vim.fn.complete(vim.fn.col('.'), {'left', 'right'})")
    neovim.wait("vim.fn.pumvisible() == 1")
    neovim.shows(SUM[0])


def test_a_line_that_moves_when_the_menu_closes(neovim: Neovim) -> None:
    shown_with_a_menu(neovim, "vim.api.nvim_buf_set_lines(0, 0, 0, true, {'import sys'})")
    neovim.keys("<C-l>")
    neovim.wait("vim.api.nvim_get_current_line():find('right')")
    head, line = TEXT.split("\n")[:2], f"    return {SUM[0]}"
    assert neovim.lines() == ["import sys", *head, line]
    neovim.keys("!")
    neovim.wait(f"vim.api.nvim_get_current_line() == [[{line}!]]")


def test_a_line_that_is_another_one_when_the_menu_closes(neovim: Neovim) -> None:
    shown_with_a_menu(neovim, "vim.api.nvim_buf_set_text(0, 2, 4, 2, 10, {'yields'})")
    neovim.keys("<C-l>")
    neovim.wait("closed")
    neovim.keys("!")
    neovim.wait("vim.api.nvim_get_current_line():find('!', 1, true)")
    assert neovim.lines()[2] == "    yields !"


def test_leaving_insert_mode_by_ctrl_c(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys("<C-g>t")
    neovim.wait(f"{OWN} == 1")
    neovim.keys("<C-c>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    assert neovim.lua(f"return {OWN}") == 0


def test_an_expression_comes_between(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys("<C-r>=execute('lua require(''diffill'').accept()')<CR>")
    neovim.wait("vim.api.nvim_get_current_line():find('right')")


@pytest.mark.parametrize("key", ["R", "gR"])
def test_nothing_is_offered_where_text_is_overwritten(neovim: Neovim, key: str) -> None:
    neovim.open("a.py", "x = 1\nreturXXXXXXXXXX\n")
    neovim.keys(f"j0fX{key}n ")
    neovim.wait("vim.api.nvim_get_mode().mode:find('^R') and vim.fn.col('.') == 8")
    if neovim.lua("return require('diffill.options').ghost(0)") == "native":
        neovim.wait("ghost() ~= nil")  # Neovim's; it is not taken
    assert neovim.lua("return {require('diffill').trigger(), require('diffill').accept()}") == [
        False,
        False,
    ]
    neovim.keys("<BS><BS><Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    assert neovim.lines()[1] == "returXXXXXXXXXX"


def test_a_text_that_may_not_be_changed_is_not(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])
    neovim.command("setlocal nomodifiable")
    assert neovim.lua("return require('diffill').accept()") is False
    assert neovim.lua("return vim.api.nvim_exec2('messages', {output = true}).output") == ""


@pytest.mark.parametrize("command", ["file", "silent saveas!"])
def test_a_buffer_that_gets_another_name(neovim: Neovim, command: str) -> None:
    neovim.open("a.py", TEXT)
    neovim.lua(SEEN)
    neovim.command(f"{command} {neovim.folder / 'b.py'}")
    neovim.wait("vim.deep_equal(seen, {'Close a.py', 'Open b.py'})")
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])


def test_a_name_that_is_taken_is_not_given(neovim: Neovim) -> None:
    neovim.open("b.py", TEXT)
    neovim.open("a.py", TEXT)
    neovim.command(f"silent! file {neovim.folder / 'b.py'}")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
    neovim.keys("2jAreturn ")
    neovim.shows(SUM[0])


def test_a_buffer_that_is_saved_for_the_first_time(neovim: Neovim) -> None:
    neovim.command("enew | set filetype=python")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")
    neovim.lua(SEEN)
    neovim.keys("ireturn ")
    neovim.shows(SUM[0])
    neovim.keys("<Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    neovim.command(f"silent write! {neovim.folder / 'new.py'}")
    neovim.wait("vim.deep_equal(seen, {'Close ', 'Open new.py'})")
    neovim.keys("oreturn ")
    neovim.wait("ghost() ~= nil and ghost().row == 1")
