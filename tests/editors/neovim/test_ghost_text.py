"""Ghost text in a real Neovim: drawn, accepted byte for byte, undone, cycled, dismissed."""

from __future__ import annotations

import pytest

from tests.editors.neovim.conftest import ARGUMENTS, LOOP, SUM
from tests.support.neovim import Neovim

TEXT = "def add(left, right):\n    \n"


def typed(neovim: Neovim, text: str = TEXT, keys: str = "jA") -> object:
    """Open a file and type to where the script answers `return `."""
    path = neovim.open("a.py", text)
    neovim.keys(keys + "return ")
    return path


def column_right_of(neovim: Neovim, text: str) -> None:
    """Wait for the cursor's line to have this text left of the cursor."""
    neovim.wait(
        "local col = vim.fn.col('.') - 1"
        f" local left = vim.api.nvim_get_current_line():sub(1, col):sub(-{len(text.encode())})"
        f" return left == [[{text}]]"
    )


def test_a_single_line(neovim: Neovim) -> None:
    typed(neovim)
    mark = neovim.shows(SUM[0])
    assert (mark["row"], mark["col"]) == (1, len("    return "))
    assert neovim.lines() == ["def add(left, right):", "    return "]  # nothing is in the text yet


@pytest.mark.parametrize("key", ["<C-l>", "<Tab>"])
def test_accepting_all_byte_for_byte(neovim: Neovim, key: str) -> None:
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys(key)
    column_right_of(neovim, "right")
    assert neovim.saved(path) == b"def add(left, right):\n    return left + right\n"


def test_tab_is_a_tab_where_nothing_is_shown(neovim: Neovim) -> None:
    neovim.open("a.py", "x\n")
    neovim.lua("vim.bo.expandtab = false")
    neovim.keys("A<Tab>")
    column_right_of(neovim, "\t")
    assert neovim.lines() == ["x\t"]


def test_tab_goes_on_in_a_snippet_where_nothing_is_shown(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    neovim.keys("i")
    neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
    neovim.lua("vim.snippet.expand('for ${1:a} in ${2:b}:')")
    neovim.wait("vim.api.nvim_get_mode().mode == 's'")
    neovim.keys("x<Tab>")
    neovim.wait("vim.api.nvim_get_mode().mode == 's'")
    neovim.keys("y")
    neovim.wait("vim.api.nvim_get_current_line() == 'for x in y:'")


def test_accepting_is_one_undo_step_between_others(neovim: Neovim) -> None:
    typed(neovim)
    neovim.shows(SUM[0])
    neovim.keys("<C-l>")
    column_right_of(neovim, "right")
    neovim.keys("<Esc>A  # done<Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    states = []
    for _ in range(3):
        neovim.command("undo")
        states.append(neovim.lines()[1])
    assert states == ["    return left + right", "    return ", "    "]


def test_typing_on_after_accepting_is_a_step_of_its_own(neovim: Neovim) -> None:
    typed(neovim)
    neovim.shows(SUM[0])
    neovim.keys("<C-l>")
    column_right_of(neovim, "right")
    neovim.keys("x<Esc>")
    neovim.wait("vim.api.nvim_get_mode().mode == 'n'")
    assert neovim.lines()[1] == "    return left + rightx"
    neovim.command("undo")
    assert neovim.lines()[1] == "    return left + right"
    neovim.command("undo")
    assert neovim.lines()[1] == "    return "


def test_in_the_middle_of_a_line_beyond_ascii(neovim: Neovim) -> None:
    path = neovim.open("a.py", "x = 'é漢😀' + call()  # 😀\n")
    neovim.keys("f(a")
    neovim.wait("ghost() ~= nil")
    mark = neovim.ghost()
    assert mark is not None
    assert mark["lines"][0].startswith("first, 'é漢😀'")
    neovim.keys("<C-l>")
    column_right_of(neovim, "😀'")
    assert neovim.saved(path) == "x = 'é漢😀' + call(first, 'é漢😀')  # 😀\n".encode()


def test_several_lines(neovim: Neovim) -> None:
    path = neovim.open("a.py", "def sum_all(items)\n")
    neovim.keys("A:")
    mark = neovim.shows(*LOOP.split("\n"))
    assert len(mark["lines"]) == 5
    neovim.keys("<C-l>")
    column_right_of(neovim, "return total")
    assert neovim.saved(path) == f"def sum_all(items):{LOOP}\n".encode()


def test_several_lines_in_the_middle_of_a_line(neovim: Neovim) -> None:
    path = neovim.open("a.py", "x = make()\n")
    neovim.keys("f(a")
    neovim.wait("ghost() ~= nil")
    mark = neovim.ghost()
    assert mark is not None
    assert mark["at"] == "overlay"  # what stands right of the cursor goes to the last line
    assert [line.rstrip() for line in mark["lines"]] == ["", "    one,", "    two,", ")"]
    neovim.keys("<C-l>")
    neovim.wait("vim.api.nvim_buf_line_count(0) == 4")
    assert neovim.saved(path) == f"x = make({ARGUMENTS})\n".encode()


def test_text_that_takes_the_place_of_what_stands_there(neovim: Neovim) -> None:
    path = neovim.open("a.py", "x = old(stale)\n")
    neovim.keys("f(a")
    neovim.wait("ghost() ~= nil")
    neovim.keys("<C-l>")
    column_right_of(neovim, "fresh")
    assert neovim.saved(path) == b"x = old(fresh)\n"


def test_line_ends_of_the_file_stay(neovim: Neovim) -> None:
    path = neovim.open("a.py", "def sum_all(items)\r\n")
    assert neovim.lua("return vim.bo.fileformat") == "dos"
    neovim.keys("A:")
    neovim.wait("ghost() ~= nil")
    neovim.keys("<C-l>")
    column_right_of(neovim, "return total")
    assert neovim.saved(path) == f"def sum_all(items):{LOOP}\n".replace("\n", "\r\n").encode()


def test_accepting_word_by_word(neovim: Neovim) -> None:
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    for shown, done in (("left + right", "left"), (" + right", " +"), (" right", " right")):
        neovim.shows(shown)
        neovim.keys("<C-f>")
        column_right_of(neovim, done)
    assert neovim.saved(path) == b"def add(left, right):\n    return left + right\n"
    neovim.command("undo")
    assert neovim.lines()[1] == "    return left +"


def test_accepting_line_by_line(neovim: Neovim) -> None:
    path = neovim.open("a.py", "def sum_all(items)\n")
    neovim.keys("A:")
    lines = LOOP.split("\n")
    neovim.shows(*lines)
    neovim.keys("<C-g>l")
    column_right_of(neovim, lines[1])
    assert neovim.lines() == ["def sum_all(items):", lines[1]]
    neovim.shows("", *lines[2:])
    neovim.keys("<C-g>l")
    column_right_of(neovim, lines[2])
    assert neovim.saved(path) == ("def sum_all(items):" + "\n".join(lines[:3]) + "\n").encode()


def test_typing_along_and_accepting_too_fast(neovim: Neovim) -> None:
    """What was typed along the suggestion is part of it, not left behind."""
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys("le<C-l>")
    column_right_of(neovim, "right")
    assert neovim.saved(path) == b"def add(left, right):\n    return left + right\n"


def test_a_suggestion_that_does_not_fit_any_more_changes_nothing(neovim: Neovim) -> None:
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys("Z<C-l>")
    column_right_of(neovim, "Z")
    assert neovim.saved(path) == b"def add(left, right):\n    return Z\n"


def test_alternatives(neovim: Neovim) -> None:
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows(SUM[0])
    for key, index in (("<C-j>", 1), ("<C-j>", 2), ("<C-j>", 0), ("<C-k>", 2), ("<C-k>", 1)):
        neovim.keys(key)
        neovim.wait(f"ghost() and vim.startswith(ghost().lines[1], '{SUM[index]} ')"
                    f" and ghost().lines[1]:find('{index + 1}/3', 1, true)")
    neovim.keys("<C-l>")
    column_right_of(neovim, "right")
    assert neovim.saved(path) == b"def add(left, right):\n    return left - right\n"


def test_dismissing(neovim: Neovim) -> None:
    path = neovim.open("a.py", TEXT)
    neovim.keys("jAreturn ")
    neovim.shows(SUM[0])
    neovim.keys("<C-g>d")
    neovim.wait("ghost() == nil")
    neovim.keys("<C-l>")
    assert neovim.saved(path) == b"def add(left, right):\n    return \n"


def test_leaving_insert_mode_takes_it_away(neovim: Neovim) -> None:
    typed(neovim)
    neovim.shows(SUM[0])
    neovim.keys("<Esc>")
    neovim.wait("ghost() == nil and vim.api.nvim_get_mode().mode == 'n'")


def test_asking_by_hand_where_the_trigger_is_manual(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.lua("require('diffill').configure({inline = {trigger = 'manual'}})")
    try:
        neovim.keys("jAreturn ")
        column_right_of(neovim, "return ")
        neovim.keys("<C-g>t")
        neovim.wait("ghost() and vim.startswith(ghost().lines[1], 'left + right')")
        neovim.keys("<C-l>")
        column_right_of(neovim, "right")
    finally:
        neovim.lua("require('diffill').configure({inline = {trigger = 'auto'}})")

