"""A file whose lines end differently: Neovim shows the CR of some as ^M, and it stays there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.editors.neovim.conftest import LOOP, answer
from tests.support.neovim import Neovim

READY = "(window() or ''):find('<CR> apply', 1, true)"


@pytest.fixture(scope="module")
def rules() -> tuple[dict[str, Any], ...]:
    return (
        answer("return ", "left + right"),
        answer("sum_all(items):", LOOP),
        answer("x = ", "sum(\n    first)"),
        answer("# two lines", "\nold = 1\nnew = 2"),
    )


def opened(neovim: Neovim, text: str) -> None:
    """A file with line ends of both kinds."""
    neovim.open("a.py", f"a = 1\n{text}\r\nb = 2\n")
    assert neovim.lua("return vim.bo.fileformat") == "unix"
    neovim.command("2")


@pytest.mark.parametrize(
    ("line", "keys", "written"),
    [
        ("    ", "0i    return ", "    return left + right    "),
        ("def sum_all(items)", "$i:", f"def sum_all(items):{LOOP}".replace("\n", "\r\n")),
    ],
)
def test_accepting(neovim: Neovim, line: str, keys: str, written: str) -> None:
    opened(neovim, line)
    neovim.keys(keys)
    neovim.wait("ghost() ~= nil")
    neovim.keys("<C-l>")
    neovim.wait("vim.api.nvim_buf_get_offset(0, vim.api.nvim_buf_line_count(0)) > 40")
    assert neovim.saved(neovim.folder / "a.py") == f"a = 1\n{written}\r\nb = 2\n".encode()


@pytest.mark.parametrize("selection", ["", "0wwv$h"])
def test_a_rewrite(neovim: Neovim, selection: str) -> None:
    opened(neovim, "x = 1")
    if selection:
        neovim.keys(selection)
        neovim.wait("vim.api.nvim_get_mode().mode == 'v'")
        neovim.keys(":Diffill rewrite<CR>")
        text = "x = sum(\r\n    first)"
    else:
        neovim.lua("client().request = nil")
        neovim.lua(
            "client().request = function(self, method, params, callback)"
            " client().request = nil _G.asked = params.range"
            " callback(nil, {rewrites = {{text = 'z = (\\r\\n  1)'}}}) return true, 1 end"
        )
        neovim.command("Diffill rewrite")
        assert neovim.lua("return asked['end'].character") == 5
        text = "z = (\r\n  1)"
    neovim.wait(READY)
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.saved(neovim.folder / "a.py") == f"a = 1\n{text}\r\nb = 2\n".encode()


def test_lines_that_are_written_below_a_comment(neovim: Neovim) -> None:
    opened(neovim, "# two lines")
    neovim.lua("vim.api.nvim_win_set_cursor(0, {2, #'# two lines'})")
    neovim.command("Diffill comment")
    neovim.hears("written; u takes it back")
    written = "# two lines\r\nold = 1\r\nnew = 2\r\n"
    assert neovim.saved(neovim.folder / "a.py") == f"a = 1\n{written}b = 2\n".encode()
    neovim.command("undo")
    assert neovim.lines() == ["a = 1", "# two lines\r", "b = 2"]
