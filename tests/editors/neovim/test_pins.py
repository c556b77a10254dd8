"""Pins in a real Neovim: what happens to them when the text around them is written anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS
from tests.editors.neovim.test_rewrite import select
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "total = first + second"
PINS = """
    local buf = vim.api.nvim_get_current_buf()
    local found = require('diffill.pins').all(buf)
    return vim.tbl_map(function(pin)
      local text = vim.api.nvim_buf_get_text(buf, pin[1], pin[2], pin[3], pin[4], {})
      return { pin[1], pin[2], table.concat(text, "\\n") }
    end, found)
"""
BETWEEN = """
    local lines, pieces, text = ...
    vim.cmd.enew({ bang = true })
    vim.api.nvim_buf_set_lines(0, 0, -1, true, lines)
    local marks = vim.api.nvim_create_namespace("marks of the test")
    for id, piece in ipairs(pieces) do
      vim.api.nvim_buf_set_extmark(0, marks, piece[1], piece[2], {
        id = id, end_row = piece[3], end_col = piece[4], invalidate = true,
      })
    end
    require("diffill.between").replace(0, { 0, 2, #lines - 1, #lines[#lines] }, pieces, text)
    local kept = {}
    for id in ipairs(pieces) do
      local mark = vim.api.nvim_buf_get_extmark_by_id(0, marks, id, { details = true })
      local stop = mark[3]
      kept[id] = table.concat(
        vim.api.nvim_buf_get_text(0, mark[1], mark[2], stop.end_row, stop.end_col, {}), "\\n"
      )
    end
    return { vim.api.nvim_buf_get_lines(0, 0, -1, true), kept }
"""


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    cmd = server(folder, "--engine", script(folder))
    with running(request.param, folder, cmd=cmd) as neovim:
        yield neovim


def pin_first(neovim: Neovim, text: str) -> None:
    neovim.open("a.py", text)
    select(neovim, "0wwviw")
    neovim.keys(":Diffill pin<CR>")
    neovim.hears("pinned")


def test_a_rewrite_leaves_a_pin_where_its_text_stays(neovim: Neovim) -> None:
    """The answer is played: whatever the server keeps, the mark stays on it."""
    pin_first(neovim, f"{LINE}\n")
    neovim.lua(
        "client().request = function(self, method, params, callback)"
        " callback(nil, {rewrites = {{text = 'sum((first,\\n  other))', changed = 0.5}}})"
        " return true, 1 end"
    )
    select(neovim, "0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("window() ~= nil")
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    neovim.lua("client().request = nil")
    assert neovim.lines() == ["total = sum((first,", "  other))"]
    assert neovim.lua(PINS) == [[0, 13, "first"]]
    neovim.command("undo")
    assert neovim.lines() == [LINE]
    assert neovim.lua(PINS) == [[0, 8, "first"]]


def test_a_fill_leaves_a_pin(neovim: Neovim) -> None:
    pin_first(neovim, "x = first + second\n")
    neovim.lua(
        "client().request = function(self, method, params, callback)"
        " _G.asked = params"
        " local edit = {range = params.holes[1], newText = '(first,\\n  other)'}"
        " callback(nil, {fills = {{edits = {edit}}}}) return true, 1 end"
    )
    select(neovim, "04lv$h")
    neovim.keys(":Diffill fill<CR>")
    neovim.hears("1 hole filled")
    neovim.lua("client().request = nil")
    assert neovim.lua("return #asked.pins") == 1
    assert neovim.lines() == ["x = (first,", "  other)"]
    assert neovim.lua(PINS) == [[0, 5, "first"]]
    neovim.command("undo")
    assert neovim.lines() == ["x = first + second"]


@pytest.mark.parametrize(
    ("lines", "pieces", "text", "kept"),
    [
        (["x=a+b"], [[0, 2, 0, 3], [0, 4, 0, 5]], "b(a, b)", ["a", "b"]),
        (["x=a+a"], [[0, 4, 0, 5]], "a*a", ["a"]),
        (["x=(a,", "b)"], [[0, 3, 1, 1]], "f(a,\nb)", ["a,\nb"]),
        (["x=abc"], [[0, 2, 0, 4], [0, 3, 0, 5]], "f(abc)", ["ab", "bc"]),
        (["x=abc"], [[0, 2, 0, 3], [0, 3, 0, 4]], "a-bc", ["a", "b"]),
        (["x=é漢😀"], [[0, 4, 0, 7]], "漢", ["漢"]),
    ],
)  # fmt: skip
def test_what_is_between_pieces_is_written_anew(
    neovim: Neovim, lines: list[str], pieces: list[list[int]], text: str, kept: list[str]
) -> None:
    assert neovim.lua(BETWEEN, lines, pieces, text) == [(lines[0][:2] + text).split("\n"), kept]
    neovim.command("undo")
    neovim.command("bwipeout!")


def test_where_a_piece_is_not_kept_all_is_written_anew(neovim: Neovim) -> None:
    for text in ("b+c", "b+a"):
        pieces = [[0, 2, 0, 3], [0, 4, 0, 5]]
        code = BETWEEN.replace("kept[id] =", "kept[id] = stop.invalid or")
        assert neovim.lua(code, ["x=a+b"], pieces, text) == [[f"x={text}"], [True, True]]
        neovim.command("bwipeout!")


def test_a_file_that_is_read_again_has_no_pin(neovim: Neovim) -> None:
    pin_first(neovim, f"{LINE}\n")
    (neovim.folder / "a.py").write_text("another = text + altogether\n")
    neovim.command("edit!")
    assert neovim.lines() == ["another = text + altogether"]
    assert list(neovim.lua(PINS)) == []
    pin_first(neovim, f"{LINE}\n")
    assert neovim.lua(PINS) == [[0, 8, "first"]]
