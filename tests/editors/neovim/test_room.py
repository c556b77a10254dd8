"""Ghost text is to be seen: at the end of a window, at its edge, and where there is no room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server
from tests.support.neovim_screen import Screen

COLUMNS, ROWS = 44, 14
ARGUMENTS = "\n    one,\n    two,\n)"
LONG = "first_argument_is_long, the_second_one_is_long_too,\n    third"
WIDE = "\n    return '長い文字列は窓の幅を超えるので折り返すé'"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (
        answer("make(", ARGUMENTS), answer("call(", LONG, after=")"), answer("def f():", WIDE),
        answer("new(", ARGUMENTS[:-1], after=")"),
    )  # fmt: skip
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        neovim.lua("vim.o.laststatus = 0")
        yield neovim


@pytest.fixture(scope="module")
def screen(shared: Neovim) -> Screen:
    return Screen(shared, COLUMNS, ROWS)


def drawn(neovim: Neovim, screen: Screen, text: str, keys: str) -> list[str]:
    """The rows of the screen when ghost text is shown at the end of some keys."""
    neovim.open("a.py", text)
    neovim.keys(keys)
    neovim.wait("ghost() ~= nil")
    return screen.text().split("\n")


def test_lines_below_the_last_row_of_a_window(neovim: Neovim, screen: Screen) -> None:
    rows = drawn(neovim, screen, "\n" * 30 + "y = make\nend = 1\n", "30Gzb31GA(")
    assert rows[-5:-1] == ["y = make(", "    one,", "    two,", ")"]
    neovim.keys("<Esc>")
    assert neovim.lua("return vim.fn.winsaveview().lnum") == 31


def test_a_view_with_room_stays(neovim: Neovim, screen: Screen) -> None:
    rows = drawn(neovim, screen, "1\n2\n3\ny = make\nend = 1\n", "4GA(")
    assert rows[:8] == ["1", "2", "3", "y = make(", "    one,", "    two,", ")", "end = 1"]


@pytest.mark.parametrize(
    ("scrolloff", "height", "shown"),
    [
        (0, 4, ["y = make(", "    one,", "    two,", ")"]),
        (99, 4, ["y = make( ↵ +1", "    one,", "    two,"]),
        (0, 2, ["y = make( ↵ +2", "    one,"]),
    ],
)
def test_lines_without_room_are_counted(
    neovim: Neovim, screen: Screen, scrolloff: int, height: int, shown: list[str]
) -> None:
    neovim.command(f"set scrolloff={scrolloff} | split | resize {height}")
    rows = drawn(neovim, screen, "\n" * 30 + "y = make\n" + "\n" * 30, "31GA(")
    neovim.keys("<Esc>")
    neovim.command("only | set scrolloff=0")
    assert rows[height - len(shown) : height] == shown


def test_what_does_not_fit_beside_the_cursor_goes_on_below(
    neovim: Neovim, screen: Screen
) -> None:
    rows = drawn(neovim, screen, "value = call)\nend = 1\n", "f)i(")
    assert rows[:4] == [
        "value = call(first_argument_is_long, the_sec",
        "ond_one_is_long_too,",
        "    third)",
        "end = 1",
    ]
    neovim.keys("<C-l>")
    neovim.wait("vim.api.nvim_buf_line_count(0) == 3")
    assert neovim.saved(neovim.folder / "a.py") == f"value = call({LONG})\nend = 1\n".encode()


@pytest.mark.parametrize("options", ["nonumber", "showbreak=>> breakindent linebreak", "number"])
def test_what_moves_down_from_a_line_of_several_rows_leaves_nothing(
    neovim: Neovim, screen: Screen, options: str
) -> None:
    neovim.command(f"set {options}")
    tail = "  # " + "tail " * 25
    rows = drawn(neovim, screen, f"y = new){tail}\nend = 1\n", "f)i(")
    neovim.command("set showbreak= nobreakindent nolinebreak nonumber")
    seen = [row[4:].rstrip() if options == "number" else row for row in rows]
    assert seen[:3] == ["y = new(", "    one,", "    two,"]
    width = COLUMNS - 4 if options == "number" else COLUMNS
    moved = f"){tail}".rstrip()
    parts = [moved[at : at + width].rstrip() for at in range(0, len(moved), width)]
    assert seen[3 : 4 + len(parts)] == [*parts, "end = 1"]


@pytest.mark.parametrize(
    ("col", "first"), [(5, "y = a: HINT.new("), (10, "y = a.new("), (13, "y = a.new(")]
)
def test_hints_right_of_the_cursor_are_covered_too(
    neovim: Neovim, screen: Screen, col: int, first: str
) -> None:
    neovim.open("a.py", "y = a.new)  #t\nend = 1\n")
    neovim.lua(
        "local hints = vim.api.nvim_create_namespace('hints')"
        " vim.api.nvim_buf_set_extmark(0, hints, 0, ...,"
        " {virt_text = {{': HINT'}}, virt_text_pos = 'inline'})",
        col,
    )
    neovim.keys("f)i(")
    neovim.wait("ghost() ~= nil")
    rows = screen.text().split("\n")
    assert rows[:5] == [first, "    one,", "    two,", ")  #t", "end = 1"]


def test_tab_stops_of_different_widths(neovim: Neovim, screen: Screen) -> None:
    neovim.command("set vartabstop=4,20,8")
    rows = drawn(neovim, screen, "\ty = new)\t# tail\nend = 1\n", "f)i(")
    spaced = neovim.lua("return require('diffill.tabs').spaced('\tx\ty\tz\tw', 0)")
    neovim.command("set vartabstop=")
    assert rows[0] == "    y = new("
    assert rows[3].split() == [")", "#", "tail"]
    assert spaced == "    x" + " " * 19 + "y" + " " * 7 + "z" + " " * 7 + "w"


def test_lines_that_are_wider_than_the_window_are_folded(neovim: Neovim, screen: Screen) -> None:
    neovim.command("set number")
    rows = drawn(neovim, screen, "def f()\nend = 1\n", "A:")
    neovim.command("set nonumber")
    assert rows[:4] == [
        "  1 def f():",
        "        return '長い文字列は窓の幅を超えるの",
        "    で折り返すé'",
        "  2 end = 1",
    ]
