""":Diffill in a real Neovim: rewrite with its preview, status, settings, and servers too old."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.neovim.conftest import VERSIONS, answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

LINE = "total = first + second"
TEXT = f"# é漢😀\n{LINE}\n"
WRITTEN = "total = sum(xs)"
REWRITES = ("sum(first, second)", "second + first")
NORMAL = "vim.api.nvim_get_mode().mode == 'n'"


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    rules = (
        answer("total = ", *REWRITES),
        answer("return ", "left + right"),
        answer("xs = read()\n", WRITTEN),
        answer("# the sum of xs", "\n" + WRITTEN),
    )
    with running(
        request.param, folder, cmd=server(folder, "--engine", script(folder, *rules))
    ) as neovim:
        yield neovim


def select_right_hand_side(neovim: Neovim) -> Path:
    path = neovim.open("a.py", TEXT)
    neovim.keys("j0wwv$h")
    neovim.wait("vim.api.nvim_get_mode().mode == 'v'")
    return path


def window(neovim: Neovim, *parts: str) -> str:
    """Wait for a window of the plugin's with these texts in it; its text."""
    listed = json.dumps(list(parts), ensure_ascii=False)
    neovim.wait(
        f"return vim.iter(vim.json.decode([==[{listed}]==])):all(function(part)"
        " return window() and window():find(part, 1, true) end)"
    )
    found: str = neovim.lua("return window()")
    return found


def test_rewriting_a_selection_shows_a_diff_and_applies_one(neovim: Neovim) -> None:
    path = select_right_hand_side(neovim)
    neovim.keys(":Diffill rewrite 0.8<CR>")
    text = window(neovim, f"-{LINE}", f"+total = {REWRITES[0]}")
    assert "😀" not in text.split("\n")[1]
    title = neovim.lua("return vim.api.nvim_win_get_config(0).title[1][1]")
    assert title.startswith("rewrite 1/2  strength 0.8  80 % changed")
    neovim.keys("n")
    window(neovim, f"+total = {REWRITES[1]}")
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.saved(path) == f"# é漢😀\ntotal = {REWRITES[1]}\n".encode()
    neovim.command("undo")
    assert neovim.lines()[1] == LINE


def test_aborting_a_rewrite_changes_nothing(neovim: Neovim) -> None:
    path = select_right_hand_side(neovim)
    neovim.keys(":Diffill rewrite<CR>")
    window(neovim, f"+total = {REWRITES[0]}")
    neovim.keys("q")
    neovim.wait("window() == nil")
    assert neovim.saved(path) == TEXT.encode()


def test_strength_can_be_changed_in_the_preview(neovim: Neovim) -> None:
    select_right_hand_side(neovim)
    neovim.keys(":Diffill rewrite 0.5<CR>")
    window(neovim, f"+total = {REWRITES[0]}")
    neovim.keys("+")
    neovim.wait("vim.api.nvim_win_get_config(0).title[1][1]:find('strength 0.7', 1, true)")
    neovim.keys("q")


def test_a_rewrite_of_text_that_has_changed_is_not_applied(neovim: Neovim) -> None:
    path = select_right_hand_side(neovim)
    neovim.keys(":Diffill rewrite<CR>")
    window(neovim, f"+total = {REWRITES[0]}")
    neovim.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr(...), 0, 1, true, {'# other'})", str(path))
    neovim.keys("<CR>")
    neovim.hears("the text has changed since the rewrite was made")
    assert neovim.saved(path) == f"# other\n{LINE}\n".encode()


def test_the_preview_says_when_pinned_text_is_not_kept(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.keys("j0wwviw:Diffill pin<CR>")
    neovim.hears("pinned")
    neovim.keys("0wwv$h:Diffill rewrite<CR>")
    assert "does not keep" not in window(neovim, f"+total = {REWRITES[0]}")
    neovim.keys("q")
    neovim.wait("window() == nil")
    neovim.lua("vim.api.nvim_buf_set_text(0, 1, 8, 1, 13, {'fir_t'})")
    neovim.keys("0wwv$h:Diffill pin clear<CR>")
    neovim.keys("0wwviw:Diffill pin<CR>")
    neovim.keys("0wwv$h:Diffill rewrite<CR>")
    window(neovim, "does not keep the pinned text: fir_t")
    neovim.keys("q")


def test_a_blank_line_is_not_pinned(neovim: Neovim) -> None:
    neovim.open("a.py", "x = 1\n\n")
    neovim.command("2Diffill pin")
    neovim.hears("there is no text to pin")
    assert neovim.lua("return #said") == 1


def test_the_plug_key_rewrites_in_a_split_where_wanted(neovim: Neovim) -> None:
    neovim.lua("require('diffill.options').current.preview = 'split'")
    neovim.lua("vim.keymap.set('x', 'gR', '<Plug>(diffill-rewrite)')")
    path = select_right_hand_side(neovim)
    neovim.keys("gR")
    window(neovim, f"+total = {REWRITES[0]}")
    assert neovim.lua("return vim.api.nvim_win_get_config(0).relative") == ""
    neovim.keys("a")
    neovim.wait("window() == nil")
    neovim.lua("require('diffill.options').current.preview = 'float'")
    assert neovim.saved(path) == f"# é漢😀\ntotal = {REWRITES[0]}\n".encode()


@pytest.mark.parametrize("word", ["7", "0", "nan", "inf", "much"])
def test_a_strength_that_is_none_is_said(neovim: Neovim, word: str) -> None:
    neovim.open("a.py", TEXT)
    neovim.command(f"Diffill rewrite {word}")
    neovim.hears(f"strength is {word}; give a share above 0, at most 1")


@pytest.mark.parametrize("word", ["-1", "1441", "nan", "inf", "long"])
def test_a_snooze_that_is_none_is_said(neovim: Neovim, word: str) -> None:
    neovim.open("a.py", TEXT)
    neovim.command(f"Diffill snooze {word}")
    neovim.hears(f"snooze is {word}; give a number of minutes from 0 to 1440")


def test_status_and_explain(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    neovim.command("Diffill explain")
    neovim.hears("nothing was asked for in this buffer yet")
    neovim.keys("ireturn ")
    neovim.wait("ghost() ~= nil")
    neovim.keys("<Esc>")
    neovim.wait(NORMAL)
    neovim.command("Diffill status")
    assert "model: scripted" in window(neovim, "Normal:", "p50")
    neovim.keys("q")
    neovim.wait("window() == nil")
    neovim.command("Diffill explain")
    window(neovim, "textDocument/inlineCompletion at 1:8", "candidate 1: score 0.90", "kept")
    neovim.keys("q")


def test_toggle_and_the_status_line(neovim: Neovim) -> None:
    assert neovim.lua("return require('diffill').statusline()") == ""
    neovim.open("a.py", "\n")
    neovim.wait("require('diffill').statusline() == 'diffill on'")
    neovim.command("Diffill toggle")
    assert neovim.lua("return require('diffill').statusline()") == "diffill off"
    neovim.command("Diffill status")
    window(neovim, "Inactive: diffill.enable is off")
    neovim.keys("q")
    neovim.wait("window() == nil")
    neovim.command("Diffill toggle")
    neovim.wait("require('diffill').statusline() == 'diffill on'")
    neovim.keys("ireturn ")
    neovim.wait("ghost() ~= nil")


def test_a_setting_changed_live(neovim: Neovim) -> None:
    """One alternative instead of two, without a restart."""
    neovim.open("a.py", "\n")
    neovim.keys("itotal = ")
    neovim.wait("ghost() ~= nil")
    neovim.keys("<C-j>")
    neovim.wait("ghost().lines[1]:find('2/2', 1, true)")
    neovim.keys("<Esc>")
    neovim.wait(NORMAL)
    neovim.lua("require('diffill').configure({inline = {alternatives = 1}})")
    neovim.keys("otimes = 1<CR>total = ")
    neovim.wait(f"ghost() ~= nil and ghost().row == 2 and shown('{REWRITES[0]}')")
    neovim.keys("<C-j>x<BS>")
    neovim.wait(f"shown('{REWRITES[0]}')")
    neovim.lua("require('diffill').configure({inline = {alternatives = 3}})")


def test_a_setting_that_is_none_is_said(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    neovim.lua("require('diffill').configure({inline = {maxLnes = 1}})")
    neovim.command("Diffill status")
    window(neovim, "setting: ", "inline.maxLnes")
    neovim.keys("q")
    neovim.lua(
        "require('diffill.options').current.settings.inline.maxLnes = nil"
        " client().settings.diffill.inline.maxLnes = nil require('diffill').configure({})"
    )


@pytest.mark.parametrize(
    ("command", "method"),
    [
        ("train plan", "diffill/train/plan"),
        ("model list", "diffill/model/list"),
        ("fill", "diffill/fill"),
        ("snooze 5", "diffill.snooze"),
    ],
)
def test_a_server_that_is_too_old_is_said_to_be(
    neovim: Neovim, command: str, method: str
) -> None:
    """Whether or not this server knows the method: its absence is played."""
    neovim.open("a.py", "x = ___\n")
    neovim.lua(
        """
        local real, method = client().request, ...
        client().server_capabilities.executeCommandProvider = nil
        client().request = function(self, asked, params, callback, buf)
          if asked == method then
            asked = 'diffill/noSuchMethod'
          end
          return real(self, asked, params, callback, buf)
        end
        """,
        method,
    )
    neovim.command(f"Diffill {command}")
    neovim.hears("the server is too old for ")
    neovim.hears("update Diffill, then :Diffill restart")
    assert neovim.lines() == ["x = ___"]
    neovim.lua("client().request = nil")


def test_filling_three_holes(neovim: Neovim) -> None:
    """With the shape of answer that is agreed on; one undo step takes all three back."""
    neovim.open("a.py", "a = ___\nb = '😀' + ___\nc = ___\n")
    neovim.lua(
        """
        local holes = {{0, 4, "1"}, {1, 10, "'x'"}, {2, 4, "3"}}
        client().request = function(self, method, params, callback)
          _G.asked = { method = method, params = params }
          local edits = vim.tbl_map(function(hole)
            local line = vim.api.nvim_buf_get_lines(0, hole[1], hole[1] + 1, true)[1]
            local col = line:find("___", 1, true) - 1
            local at = vim.str_utfindex(line, self.offset_encoding, col)
            return {
              range = {
                start = { line = hole[1], character = at },
                ["end"] = { line = hole[1], character = at + 3 },
              },
              newText = hole[3],
            }
          end, holes)
          callback(nil, { fills = { { edits = edits } } })
          return true, 1
        end
        """
    )
    neovim.command("Diffill fill")
    neovim.hears("3 holes filled")
    assert neovim.lua("return asked.method, asked.params.marker") == "diffill/fill"
    assert neovim.lua("return asked.params.marker") == "___"
    assert neovim.lines() == ["a = 1", "b = '😀' + 'x'", "c = 3"]
    neovim.command("undo")
    assert neovim.lines() == ["a = ___", "b = '😀' + ___", "c = ___"]
    neovim.lua("client().request = nil")


def test_filling_three_holes_by_the_server(neovim: Neovim) -> None:
    """The server's own answer."""
    neovim.open("a.py", "total = ___\nb = '😀' + ___\nc = ___\n")
    neovim.command("Diffill fill")
    neovim.wait("heard('3 holes filled')")
    text = REWRITES[0]
    assert neovim.lines() == [f"total = {text}", f"b = '😀' + {text}", f"c = {text}"]
    neovim.command("undo")
    assert neovim.lines()[2] == "c = ___"


@pytest.mark.parametrize("by", ["command", "key"])
@pytest.mark.parametrize(
    ("command", "text", "cursor", "line"),
    [
        ("bridge", "xs = read()\n\nprint(total)\n", (2, 0), 1),
        ("comment", "# the sum of xs\n", (1, 15), 1),
    ],
)
def test_lines_are_written_by_the_server(
    neovim: Neovim, command: str, text: str, cursor: tuple[int, int], line: int, by: str
) -> None:
    neovim.open("a.py", text)
    neovim.command("set virtualedit=onemore")
    neovim.lua("vim.api.nvim_win_set_cursor(0, { ... })", *cursor)
    before = neovim.lines()
    if by == "command":
        neovim.command(f"Diffill {command}")
    else:
        neovim.lua(f"vim.keymap.set('n', 'gB', '<Plug>(diffill-{command})')")
        neovim.keys("gB")
    neovim.hears("written; u takes it back")
    assert neovim.lines()[line] == WRITTEN
    assert neovim.lines()[0] == before[0]
    neovim.command("undo")
    neovim.command("set virtualedit=")
    assert neovim.lines() == before


def test_a_place_without_a_comment_is_told(neovim: Neovim) -> None:
    neovim.open("a.py", "x = 1\n")
    neovim.command("Diffill comment")
    neovim.hears("nothing was filled: ")
    assert neovim.lines() == ["x = 1"]


def test_sub_commands_are_completed(neovim: Neovim) -> None:
    def complete(line: str) -> list[str]:
        found: list[str] = neovim.lua("return vim.fn.getcompletion(..., 'cmdline')", line)
        return found

    assert complete("Diffill re") == ["restart", "rewrite"]
    assert complete("Diffill train p") == ["plan", "pause"]
    assert complete("Diffill model ") == ["list", "select", "base", "delete"]
    assert complete("Diffill rewrite 0.5 ") == []
    neovim.open("a.py", "x = 1\n")
    neovim.lua(
        "client().request_sync = function(_, method) assert(method == 'diffill/model/list')"
        " return {result = {adapters = {{name = 'tuning-1'}, {name = 'other'}}}} end"
    )
    for verb in ("select", "delete"):
        assert complete(f"Diffill model {verb} ") == ["tuning-1", "other"]
        assert complete(f"Diffill model {verb} tu") == ["tuning-1"]
        assert complete(f"Diffill model {verb} other ") == []
    assert complete("Diffill model list ") == []
    neovim.lua("client().request_sync = nil")
    assert complete("Diffi sn") == ["snooze"]
    assert complete("'<,'>Dif model ") == ["list", "select", "base", "delete"]
    neovim.command("Diffill nosuch")
    neovim.hears("nosuch is no command; there are bridge, cancel, comment, explain, fill, log")
