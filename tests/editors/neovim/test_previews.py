"""Windows and answers in a real Neovim: the text changes, may not, or another buffer is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.editors.neovim.test_rewrite import HOLD, select
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "total = first + second"
NEW = "total = sum(first, second)"
ASK_AGAIN = "the text has changed since the rewrite was made; ask again"
FIXED = "this buffer cannot be changed; `:setlocal modifiable` lets it be"
READY = "(window() or ''):find('<CR> apply', 1, true)"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (answer("total = ", "sum(first, second)"), answer("x = ", "8"))
    cmd = server(folder, "--engine", script(folder, *rules))
    with running(request.param, folder, cmd=cmd) as neovim:
        yield neovim


def rewritten(neovim: Neovim, above: str = "") -> int:
    """A rewrite of the last line is shown; the buffer it is of."""
    neovim.open("a.py", f"{above}{LINE}\n")
    buf: int = neovim.lua("return vim.api.nvim_get_current_buf()")
    select(neovim, "G0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait(READY)
    return buf


def held(neovim: Neovim) -> None:
    neovim.lua("_G.release = nil")
    neovim.lua(HOLD)


def nothing_failed(neovim: Neovim) -> None:
    messages = neovim.lua("return vim.api.nvim_exec2('messages', {output = true}).output")
    assert "stack traceback" not in messages


@pytest.mark.parametrize("change", ["1, 3, true, {}", "0, 0, true, {'z = 1'}"])
@pytest.mark.parametrize("key", ["+", "-"])
def test_another_strength_for_a_text_that_has_changed(
    neovim: Neovim, change: str, key: str
) -> None:
    buf = rewritten(neovim, "x = 0\ny = 1\n")
    neovim.lua(f"vim.api.nvim_buf_set_lines(..., {change})", buf)
    neovim.keys(key)
    neovim.hears(ASK_AGAIN)
    nothing_failed(neovim)


def test_an_answer_when_its_window_shows_another_buffer(neovim: Neovim) -> None:
    buf = rewritten(neovim)
    held(neovim)
    neovim.keys("+")
    neovim.wait("release ~= nil")
    neovim.command(f"buffer {buf}")
    window = neovim.lua("return vim.api.nvim_get_current_win()")
    neovim.lua("client().request = nil release()")
    neovim.wait(READY)
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.lua("return vim.api.nvim_get_current_win()") == window
    assert neovim.lines() == [NEW]
    neovim.command("close")
    nothing_failed(neovim)


def test_closing_closes_no_window_of_another_buffer(neovim: Neovim) -> None:
    neovim.lua("require('diffill.options').current.preview = 'split'")
    buf = rewritten(neovim)
    neovim.command("split")
    neovim.command(f"wincmd j | buffer {buf} | wincmd k")
    windows = neovim.lua("return #vim.api.nvim_list_wins()")
    neovim.keys("q")
    neovim.wait("window() == nil")
    neovim.lua("require('diffill.options').current.preview = 'float'")
    assert neovim.lua("return #vim.api.nvim_list_wins()") == windows - 1
    neovim.command("only")


def test_a_rewrite_is_not_applied_where_the_text_may_not_be_changed(neovim: Neovim) -> None:
    buf = rewritten(neovim)
    neovim.lua("vim.bo[...].modifiable = false", buf)
    neovim.keys("<CR>")
    neovim.hears(FIXED)
    assert neovim.lines() == [LINE]
    nothing_failed(neovim)


def test_a_fill_is_not_applied_where_the_text_may_not_be_changed(neovim: Neovim) -> None:
    neovim.open("a.py", "x = ___\n")
    held(neovim)
    neovim.command("Diffill fill")
    neovim.wait("release ~= nil")
    neovim.lua("client().request = nil vim.bo.modifiable = false release()")
    neovim.hears(FIXED)
    assert neovim.lines() == ["x = ___"]
    nothing_failed(neovim)


@pytest.mark.parametrize("command", ["rewrite", "fill", "bridge", "comment"])
def test_nothing_is_asked_where_the_text_may_not_be_changed(neovim: Neovim, command: str) -> None:
    neovim.open("a.py", "x = ___\n")
    neovim.command("setlocal nomodifiable")
    neovim.lua("_G.asked = false client().request = function() _G.asked = true return true, 1 end")
    neovim.command(f"Diffill {command}")
    neovim.hears(FIXED)
    neovim.lua("client().request = nil")
    assert neovim.lua("return asked") is False


def test_a_rewrite_of_a_text_that_was_saved_meanwhile_is_applied(neovim: Neovim) -> None:
    neovim.open("a.py", f"{LINE}\n")
    neovim.command("call append(0, 'x = 0')")
    held(neovim)
    select(neovim, "G0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait("release ~= nil")
    neovim.command("silent write")
    neovim.command("call setline(1, 'x = 1')")
    neovim.command("call setline(1, 'x = 0')")
    neovim.command("autocmd BufLeave *.py ++once update")
    neovim.lua("client().request = nil release()")
    neovim.wait(READY)
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.lines() == ["x = 0", NEW]
    nothing_failed(neovim)


def test_a_fill_of_a_text_that_was_saved_meanwhile_is_applied(neovim: Neovim) -> None:
    neovim.open("a.py", "a = 1\n")
    neovim.command("call append(1, 'x = ___')")
    held(neovim)
    neovim.command("Diffill fill")
    neovim.wait("release ~= nil")
    neovim.command("silent write")
    neovim.lua("client().request = nil release()")
    neovim.hears("1 hole filled")
    assert neovim.lines() == ["a = 1", "x = 8"]


def test_a_rewrite_of_a_text_that_was_read_again_is_not_applied(neovim: Neovim) -> None:
    buf = rewritten(neovim)
    (neovim.folder / "a.py").write_text("other = 1\n")
    neovim.lua("vim.api.nvim_buf_call(..., function() vim.cmd('edit!') end)", buf)
    neovim.keys("<CR>")
    neovim.hears(ASK_AGAIN)
    assert neovim.lines() == ["other = 1"]


@pytest.mark.parametrize("preview", ["float", "split"])
def test_lines_that_are_wider_than_the_window_are_seen_whole(
    neovim: Neovim, preview: str
) -> None:
    neovim.lua("require('diffill.options').current.preview = ...", preview)
    neovim.command("set nowrap")
    neovim.open("a.py", f"{LINE}  # {'long ' * 40}\n")
    select(neovim, "0wwv$h")
    neovim.keys(":Diffill rewrite<CR>")
    neovim.wait(READY)
    found = neovim.lua(
        "return {vim.fn.line('w0'), vim.fn.line('w$'), vim.fn.line('$'), vim.fn.winheight(0),"
        " vim.api.nvim_win_text_height(0, {}).all}"
    )
    neovim.lua("require('diffill.options').current.preview = 'float'")
    neovim.command("set wrap")
    neovim.keys("q")
    first, last, lines, height, rows = found
    assert (first, last) == (1, lines)
    assert height == rows > lines


def test_a_window_of_a_session_that_is_read_again_goes(neovim: Neovim) -> None:
    session = neovim.folder / "Session.vim"
    neovim.lua("require('diffill.options').current.preview = 'split'")
    rewritten(neovim)
    neovim.lua("require('diffill.options').current.preview = 'float'")
    neovim.command(f"mksession! {session}")
    assert "diffill://" in session.read_text()
    neovim.fresh()
    neovim.command("silent! only")
    neovim.command(f"silent! source {session}")
    neovim.wait(
        "#vim.api.nvim_list_wins() == 1 and not vim.iter(vim.api.nvim_list_bufs()):any("
        "function(buf) return vim.startswith(vim.api.nvim_buf_get_name(buf), 'diffill://') end)"
    )
    assert neovim.lines() == [LINE]
    nothing_failed(neovim)


def test_an_answer_waits_for_the_end_of_the_command_line_window(neovim: Neovim) -> None:
    neovim.open("a.py", "x = 1\n")
    neovim.keys("q:")
    neovim.wait("vim.fn.getcmdwintype() == ':'")
    neovim.lua("require('diffill.status').show()")
    neovim.hears("the answer (status) is ready")
    neovim.keys(":q<CR>")
    neovim.wait("(window() or ''):find('Normal:', 1, true)")
    nothing_failed(neovim)


def test_a_choice_takes_no_keys_from_who_types(neovim: Neovim) -> None:
    neovim.open("a.py", "x = 1\n")
    neovim.lua(
        "vim.ui.select = function() _G.mode = vim.api.nvim_get_mode().mode end _G.mode = nil"
        " _G.release = nil client().request = function(_, method, _, callback)"
        " if method == 'diffill/model/list' then _G.release = function() callback(nil, {}) end end"
        " return true, 1 end"
    )
    neovim.command("Diffill model select")
    neovim.keys("A")
    neovim.wait("vim.api.nvim_get_mode().mode == 'i'")
    neovim.lua("client().request = nil release()")
    neovim.hears("the choice of a model is ready")
    assert neovim.lua("return mode == nil")
    neovim.keys("<Esc>")
    neovim.wait("mode == 'n'")
