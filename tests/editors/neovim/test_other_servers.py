"""Beside another server with inline completion, which Neovim 0.12 draws, in a real Neovim."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.neovim.conftest import answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

TEXT = "def f():\n    \n"
OTHER = """
-- A server within Neovim. Its item replaces `range` of the cursor's place with `text`.
-- `ran` has the lines that its command has seen.
local item = ...
_G.ran = {}
vim.lsp.commands.seen = function() table.insert(ran, vim.api.nvim_buf_get_lines(0, 0, -1, true)) end
vim.lsp.config("other", { filetypes = { "python" }, cmd = function()
  local closing = false
  return {
    request = function(method, params, callback)
      if method == "initialize" then
        callback(nil, { capabilities = { inlineCompletionProvider = true } })
      elseif method == "textDocument/inlineCompletion" then
        local at = params.position
        local range = item.rows and {
          start = { line = at.line - item.rows, character = 0 }, ["end"] = at,
        } or { start = { line = at.line, character = at.character - item.back }, ["end"] = at }
        callback(nil, { items = { {
          insertText = item.text, range = range, command = { title = "", command = "seen" },
        } } })
      else
        callback(nil, vim.NIL)
      end
      return true, 1
    end,
    notify = function() return true end,
    is_closing = function() return closing end,
    terminate = function() closing = true end,
  }
end })
vim.lsp.enable("other")
"""
MARKS = "#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('{}'), 0, -1, {{}})"
OWN, NATIVE = MARKS.format("diffill.ghost"), MARKS.format("nvim.lsp.inline_completion")


def scripted(folder: Path) -> list[str]:
    return server(folder, "--engine", script(folder, answer("return ", "left + right", "left")))


@pytest.fixture
def native(tmp_path: Path) -> Iterator[Neovim]:
    with running("0.12", tmp_path, cmd=scripted(tmp_path), ghost="native") as neovim:
        yield neovim


@pytest.mark.parametrize("ghost", ["auto", "own"])
def test_what_neovim_draws_is_not_drawn_twice(tmp_path: Path, ghost: str) -> None:
    with running("0.12", tmp_path, cmd=scripted(tmp_path), ghost=ghost) as neovim:
        neovim.open("a.py", TEXT)
        neovim.keys("jAreturn ")
        neovim.wait(f"{OWN} == 1")
        neovim.lua("vim.lsp.inline_completion.enable(true, {bufnr = 0})")
        neovim.keys("x<BS>")
        neovim.wait(f"{NATIVE} == 1")
        assert neovim.lua(f"return {OWN}") == 0
        neovim.keys("<C-f>")
        neovim.wait("vim.api.nvim_get_current_line() == '    return left'")
        neovim.lua("vim.lsp.inline_completion.enable(false, {bufnr = 0})")
        neovim.keys("<BS><BS><BS><BS>")
        neovim.wait(f"{OWN} == 1 and {NATIVE} == 0")


@pytest.mark.parametrize(
    ("item", "lines"),
    [
        ({"text": "other(1, 2)", "back": 0}, ["def f():", "    zz = other(1, 2)"]),
        ({"text": "    zz = other(1)", "back": 9}, ["def f():", "    zz = other(1)"]),
        ({"text": "    yy = 1\n    zz = 2", "back": 9},
         ["def f():", "    yy = 1", "    zz = 2"]),
        ({"text": "def g():\n    return 3", "rows": 1}, ["def g():", "    return 3"]),
        ({"text": {"kind": "snippet", "value": "${1:one}"}, "back": 0},
         ["def f():", "    zz = one"]),
    ],
)  # fmt: skip
def test_an_item_of_another_server_is_taken(
    native: Neovim, item: dict[str, Any], lines: list[str]
) -> None:
    listed = ", ".join(f"[[{line}]]" for line in lines)
    native.lua(OTHER, item)
    native.open("a.py", TEXT)
    native.keys("jAzz = ")
    native.wait(f"{NATIVE} == 1")
    native.keys("<C-l>")
    native.wait(f"vim.deep_equal(vim.api.nvim_buf_get_lines(0, 0, -1, true), {{{listed}}})")
    native.wait("#ran == 1")
    assert native.lua("return ran[1]") == lines, "a command runs after its text was inserted"


def test_a_word_of_an_item_of_another_server(native: Neovim) -> None:
    native.lua(OTHER, {"text": "other(1, 2)", "back": 0})
    native.open("a.py", TEXT)
    native.keys("jAzz = ")
    native.wait(f"{NATIVE} == 1")
    native.keys("<C-f>")
    native.wait("vim.api.nvim_get_current_line() == '    zz = other'")
    assert native.lua("return #ran") == 0


def test_what_is_asked_for_by_hand_takes_the_place_of_what_neovim_shows(native: Neovim) -> None:
    native.open("a.py", TEXT)
    native.keys("jAreturn ")
    native.wait(f"{NATIVE} == 1")
    native.keys("<C-g>t")
    native.wait(f"{OWN} == 1 and {NATIVE} == 0")


def test_what_neovim_has_asked_for_meanwhile_is_not_shown_too(native: Neovim) -> None:
    native.lua(
        "_G.answers = 0 vim.api.nvim_create_autocmd('LspRequest', {callback = function(event)"
        " local request = event.data.request"
        " if request.type == 'complete' and request.method == 'textDocument/inlineCompletion' then"
        " vim.schedule(function() answers = answers + 1 end) end end})"
    )
    native.open("a.py", TEXT)
    native.keys("jAreturn <C-g>t")  # Neovim asks 200 ms after the key
    native.wait(f"answers == 2 and {OWN} == 1")
    native.wait(f"{NATIVE} == 0")
    assert native.lua(f"return {OWN}") == 1
    native.keys("<C-l>")
    native.wait("vim.api.nvim_get_current_line() == '    return left + right'")


def test_there_is_a_next_one_only_where_one_is_shown(native: Neovim) -> None:
    native.open("a.py", TEXT)
    native.keys("A")
    native.wait("vim.api.nvim_get_mode().mode == 'i'")
    assert native.lua("return require('diffill').next()") is False
    native.keys("<Esc>jAreturn ")
    native.wait(f"{NATIVE} == 1")
    assert native.lua("return require('diffill').next()") is True
