"""Drafts in a real Neovim with a real server, whose script takes a step when a test lets it.

A draft is seen before the answer; text and undo history are as if it had never been; and nothing
is left of it after the answer, an error, a cancel, an edit or the end of the server.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.editors.neovim.conftest import answer
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server

FILLED = "one two three"
TEXT = "x = ___\nlast = '😀' + ___  # é\n"
LINE = "total = first + second"
REWRITES = ("sum(first, second)\n  + zero", "second + first")
BODY = "def f(a):\n\tone()\n\ttwo()\n"
WRONG = "the model is out of order"
RULES = (
    answer("x = ", FILLED, steps=3),
    answer("total = ", *REWRITES, steps=2),
    answer("f(a):\n\t", "\n\tthree()\n\tfour()", steps=3),
    answer("wrong = ", "never", steps=2, error=WRONG),
)
NONE: dict[str, list[Any]] = {"texts": [], "replaced": []}
STATE = (
    "return {vim.api.nvim_buf_get_lines(0, 0, -1, true), vim.b.changedtick, vim.fn.undotree(),"
    " vim.bo.modified}"
)


@contextmanager
def started(version: str, folder: Path, **options: Any) -> Iterator[Neovim]:
    cmd = server(folder, "--engine", script(folder, *RULES, gated=True))
    with running(version, folder, cmd=cmd, **options) as neovim:
        yield neovim
        step(neovim, 100)  # the engine's thread waits for nothing any more


@pytest.fixture
def neovim(version: str, tmp_path: Path) -> Iterator[Neovim]:
    with started(version, tmp_path) as neovim:
        yield neovim
        assert neovim.lua("return vim.v.errmsg") == ""


def step(neovim: Neovim, steps: int = 1) -> None:
    """Let the script go on, if the server is there."""
    neovim.lua(
        "local steps, one = ..., client()"
        " return one and one:notify('scripted/release', {steps = steps})",
        steps,
    )


def settle(neovim: Neovim) -> None:
    """Until the server has answered what it was asked, and its messages have been taken."""
    neovim.wait(
        "vim.iter(vim.lsp.get_clients({name = 'diffill'})):all(function(one)"
        " return next(one.requests) == nil end)"
    )
    neovim.lua("client():request_sync('diffill/status', nil, 10000, 0)")


def drafts(neovim: Neovim) -> dict[str, Any]:
    found: dict[str, Any] = neovim.lua("return drafts()")
    return {kind: list(found[kind]) for kind in ("texts", "replaced")}


def filling(neovim: Neovim, name: str = "a.py", text: str = TEXT) -> Any:
    """A fill under way with its first draft on the screen; the state of the buffer before it."""
    neovim.open(name, text)
    before = neovim.lua(STATE)
    neovim.command("Diffill fill")
    step(neovim)
    neovim.wait("drafted('one▒▒')")
    return before


def request(neovim: Neovim) -> int:
    """The number of the request under way."""
    found: int = neovim.lua("return next(client().requests)")
    return found


def test_a_fill_shows_every_draft_and_nothing_after_its_result(neovim: Neovim) -> None:
    before = filling(neovim)
    column = len("last = '😀' + ___".encode())
    assert drafts(neovim) == {
        "texts": [
            {"row": 0, "col": 7, "at": "inline", "lines": ["one▒▒"]},
            {"row": 1, "col": column, "at": "inline", "lines": ["one▒▒"]},
        ],
        "replaced": [[0, 4, 0, 7], [1, column - 3, 1, column]],
    }
    assert neovim.lua(STATE) == before
    step(neovim)
    neovim.wait("drafted('one two▒')")
    assert [draft["lines"] for draft in drafts(neovim)["texts"]] == [["one two▒"]] * 2
    assert neovim.lua(STATE) == before
    step(neovim)
    neovim.hears("2 holes filled")
    assert drafts(neovim) == NONE
    assert neovim.lines() == [f"x = {FILLED}", f"last = '😀' + {FILLED}  # é"]
    assert neovim.lua("return vim.fn.undotree().seq_last") == before[2]["seq_last"] + 1
    neovim.command("undo")
    assert neovim.lines() == TEXT.splitlines()
    assert drafts(neovim) == NONE, "an undo brings no draft back"


def test_a_cancel_takes_the_draft_away(neovim: Neovim) -> None:
    before = filling(neovim)
    after_it = "client():cancel_request(...) return drafts()"
    assert neovim.lua(after_it, request(neovim)) == NONE
    step(neovim, 2)
    settle(neovim)
    assert drafts(neovim) == NONE
    assert neovim.lua(STATE) == before


EDITS = (
    "vim.api.nvim_buf_set_lines(buf, 1, 1, true, {'# new'})",
    "vim.api.nvim_buf_set_text(buf, 0, 4, 0, 7, {''})",
    "vim.api.nvim_buf_call(buf, function() vim.cmd('silent normal! Gdd') end)",
    "vim.cmd('new') vim.api.nvim_buf_set_lines(buf, 0, 1, true, {})",
    "vim.fn.writefile({'y = 1'}, vim.api.nvim_buf_get_name(buf)) vim.cmd('edit!')",
)


def test_an_edit_takes_the_draft_away_at_once(neovim: Neovim) -> None:
    for number, edit in enumerate(EDITS):
        before = filling(neovim, f"edited{number}.py")
        buf = neovim.lua("return vim.api.nvim_get_current_buf()")
        assert neovim.lua(f"local buf = ... {edit} return drafts(buf)", buf) == NONE, edit
        step(neovim, 1)  # at which the engine learns of the cancel
        settle(neovim)
        assert neovim.lua("return drafts(...)", buf) == NONE, edit
        text = neovim.lua("return vim.api.nvim_buf_get_lines(..., 0, -1, true)", buf)
        assert text != before[0] and FILLED not in "\n".join(text), edit


def test_an_undo_takes_the_draft_away_and_goes_where_it_would_have_gone(neovim: Neovim) -> None:
    neovim.open("a.py", TEXT)
    neovim.lua("vim.api.nvim_buf_set_lines(0, 0, 0, true, {'# first'})")
    seq = neovim.lua("return vim.fn.undotree().seq_last")
    neovim.command("Diffill fill")
    step(neovim)
    neovim.wait("drafted('one▒▒')")
    assert neovim.lua("vim.cmd('silent undo') return drafts()") == NONE
    assert neovim.lines() == TEXT.splitlines()
    assert neovim.lua("return vim.fn.undotree().seq_last") == seq


def test_an_error_takes_the_draft_away(neovim: Neovim) -> None:
    neovim.open("a.py", "wrong = ___\n")
    neovim.command("Diffill fill")
    before = neovim.lua(STATE)
    step(neovim, 1)
    neovim.wait("drafted('▒')")
    step(neovim, 1)
    neovim.hears(WRONG)
    assert drafts(neovim) == NONE
    assert neovim.lua(STATE) == before


def test_the_end_of_the_server_takes_the_draft_away(neovim: Neovim) -> None:
    before = filling(neovim)
    (process,) = neovim.lua("return vim.api.nvim_get_proc_children(vim.fn.getpid())")
    os.kill(process, signal.SIGKILL)
    neovim.wait("client() == nil")
    assert drafts(neovim) == NONE
    assert neovim.lua(STATE) == before
    neovim.lua("vim.v.errmsg = ''")  # Neovim's own, on a client that ended


def test_a_buffer_that_goes_away_takes_its_draft_along(neovim: Neovim) -> None:
    filling(neovim)
    neovim.command("bwipeout!")
    step(neovim, 2)
    neovim.open("b.py", TEXT)
    settle(neovim)
    assert drafts(neovim) == NONE


def test_a_newer_request_shows_its_own_drafts(neovim: Neovim) -> None:
    filling(neovim)
    assert neovim.lua("vim.cmd('Diffill fill') return drafts()") == NONE
    step(neovim, 1)  # the older one learns that it has been superseded
    assert drafts(neovim) == NONE
    step(neovim, 1)
    neovim.wait("drafted('one▒▒')")
    assert len(drafts(neovim)["texts"]) == 2
    step(neovim, 2)
    neovim.hears("2 holes filled")
    assert drafts(neovim) == NONE
    assert neovim.lua("return #said") == 1, "of the older one nothing is heard"


def select(neovim: Neovim, text: str, keys: str) -> None:
    neovim.open("a.py", text)
    neovim.keys(keys)
    neovim.wait("vim.api.nvim_get_mode().mode:lower() == 'v'")
    neovim.keys(":Diffill rewrite 0.8<CR>")
    neovim.wait("next(client().requests) ~= nil")


def test_a_rewrite_shows_drafts_after_the_selection_then_its_window(neovim: Neovim) -> None:
    select(neovim, f"{LINE}\n", "wwv$h")
    before = neovim.lua(STATE)
    step(neovim)
    neovim.wait("#drafts().texts == 1")
    assert drafts(neovim) == {
        "texts": [
            {"row": 0, "col": len(LINE), "at": "inline", "lines": ["sum(first, second)▒▒"]},
        ],
        "replaced": [[0, 8, 0, len(LINE)]],
    }
    assert neovim.lua(STATE) == before
    step(neovim)
    neovim.wait("window() ~= nil")
    assert neovim.lua("return drafts(vim.fn.bufnr('a.py'))") == NONE
    neovim.keys("q")
    neovim.wait("window() == nil")
    assert neovim.lua(STATE) == before


def test_a_draft_for_several_lines_stands_below_them(neovim: Neovim) -> None:
    """With tabs as wide as on the screen, and from where the selection begins."""
    neovim.command("set tabstop=4")
    select(neovim, BODY, "j0lvj$h")
    step(neovim, 2)
    neovim.wait("drafted('    \\n    three()▒')")
    (draft,) = drafts(neovim)["texts"]
    assert (draft["row"], draft["at"]) == (2, "below")
    assert drafts(neovim)["replaced"] == [[1, 1, 2, len("\ttwo()")]]


def in_window(neovim: Neovim) -> None:
    """A preview that a stronger rewrite is on its way for, with the first draft in it."""
    select(neovim, f"{LINE}\n", "wwv$h")
    step(neovim, 2)
    neovim.wait("(window() or ''):find('+total = sum(first, second)', 1, true)")
    neovim.keys("+")
    neovim.wait("next(client().requests) ~= nil")
    step(neovim)
    neovim.wait("window():find('+total = sum(first, second)▒▒', 1, true)")
    assert neovim.lua("return drafts(vim.fn.bufnr('a.py'))") == NONE
    assert "a draft  50 % done" in title(neovim)


def title(neovim: Neovim) -> str:
    found: str = neovim.lua("return vim.api.nvim_win_get_config(0).title[1][1]")
    return found


def test_an_open_preview_shows_the_drafts_and_applies_none(neovim: Neovim) -> None:
    in_window(neovim)
    neovim.keys("<CR>")
    neovim.hears("this is a draft; wait for the rewrite")
    assert neovim.lua("return vim.api.nvim_buf_get_lines(vim.fn.bufnr('a.py'), 0, -1, true)") == [
        LINE
    ]
    step(neovim)
    neovim.wait("vim.api.nvim_win_get_config(0).title[1][1]:find('rewrite 1/2  strength 1.0')")
    assert "▒" not in neovim.lua("return window()")
    neovim.keys("<CR>")
    neovim.wait("window() == nil")
    assert neovim.lines() == f"total = {REWRITES[0]}".split("\n")
    assert drafts(neovim) == NONE


def test_the_answer_takes_the_place_of_a_draft_in_the_preview_at_once(neovim: Neovim) -> None:
    """A key that comes right after the answer finds the rewrite on the screen. Both are played."""
    select(neovim, f"{LINE}\n", "wwv$h")
    step(neovim, 2)
    neovim.wait("window() ~= nil")
    neovim.lua(
        "client().request = function(_, _, params, callback)"
        " _G.token, _G.answered = params.partialResultToken, callback return true, 1 end"
    )
    neovim.keys("+")
    neovim.wait("answered ~= nil")
    shown = neovim.lua(
        """
        local from, to = { line = 0, character = 8 }, { line = 0, character = 22 }
        local range = { start = from, ["end"] = to }
        local draft = { ranges = { range }, texts = { { "a", 2, " b", 0 } }, done = 0.5 }
        client().handlers["$/progress"](
          nil, { token = token, value = draft }, { client_id = client().id }
        )
        local before = window()
        answered(nil, { rewrites = { { text = "a + b", changed = 0.5 } }, range = range })
        return { before, window() }
        """
    )
    assert "+total = a▒▒ b…\n" in shown[0]
    assert "+total = a + b\n" in shown[1] and "▒" not in shown[1]
    neovim.lua("client().request = nil")


def test_a_cancel_brings_the_rewrites_back_to_the_preview(neovim: Neovim) -> None:
    in_window(neovim)
    neovim.lua("client():cancel_request(...)", request(neovim))
    neovim.wait("not window():find('▒', 1, true)")
    assert title(neovim).startswith("rewrite 1/2  strength 0.8")
    step(neovim)
    settle(neovim)
    assert title(neovim).startswith("rewrite 1/2  strength 0.8")


def test_an_edit_takes_the_draft_out_of_the_preview(neovim: Neovim) -> None:
    in_window(neovim)
    neovim.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr('a.py'), 0, -1, true, {})")
    neovim.wait("window():find('the text has changed since the rewrite was made', 1, true)")
    neovim.keys("<CR>")
    neovim.hears("the text has changed since the rewrite was made; ask again")
    assert neovim.lines() == [""]


def test_a_preview_that_is_closed_leaves_the_drafts_to_virtual_text(neovim: Neovim) -> None:
    select(neovim, f"{LINE}\n", "wwv$h")
    step(neovim, 2)
    neovim.wait("window() ~= nil")
    neovim.keys("+")
    neovim.wait("next(client().requests) ~= nil")
    neovim.command("close")  # which aborts nothing, unlike its key q
    step(neovim)
    neovim.wait("drafted('sum(first, second)▒▒')")
    step(neovim)
    neovim.wait("window() ~= nil")
    assert "▒" not in neovim.lua("return window()")
    assert neovim.lua("return drafts(vim.fn.bufnr('a.py'))") == NONE


def test_other_progress_goes_on_to_neovim_and_drafts_do_not(neovim: Neovim) -> None:
    neovim.lua(
        "_G.seen = {} vim.api.nvim_create_autocmd('LspProgress', {callback = function(event)"
        " table.insert(seen, event.data.params.token) end})"
    )
    filling(neovim)
    neovim.lua(
        "client().handlers['$/progress'](nil, {token = 'theirs',"
        " value = {kind = 'begin', title = 'work'}}, {client_id = client().id})"
    )
    seen = neovim.lua("return seen")
    assert seen[-1] == "theirs"
    assert not [token for token in seen if token.startswith("diffill-draft-")]


def test_drafts_can_be_switched_off(version: str, tmp_path: Path) -> None:
    with started(version, tmp_path, drafts=False) as neovim:
        neovim.open("a.py", TEXT)
        neovim.lua(
            "local real = client().request client().request = function(self, method, params, ...)"
            " if method == 'diffill/fill' then _G.asked = params end"
            " return real(self, method, params, ...) end"
        )
        neovim.command("Diffill fill")
        assert neovim.lua("return asked.marker") == "___"
        assert neovim.lua("return asked.partialResultToken") is None
        step(neovim, 3)
        neovim.hears("2 holes filled")
        assert neovim.lines()[0] == f"x = {FILLED}"


@pytest.mark.model
def test_the_bundled_model_is_seen_at_work(
    version: str, tmp_path: Path, bundled_model_dir: Path
) -> None:
    """At least one draft is drawn of every hole, and none is left."""
    with running(version, tmp_path, cmd=server(tmp_path)) as neovim:
        neovim.open("shapes.py", "def area(width, height):\n    return ___\n\nprint(area(___))\n")
        neovim.wait("(told or {}).engine == 'ready'", 90_000)
        neovim.lua(
            "local all = require('diffill.drafts') local take = all.take _G.seen = {}"
            " all.take = function(...) local ours = take(...)"
            " if ours then table.insert(seen, drafts()) end return ours end"
        )
        neovim.command("Diffill fill")
        neovim.hears("2 holes filled")
        seen = neovim.lua("return seen")
        assert seen
        for one in seen:
            assert [(draft["row"], draft["col"]) for draft in one["texts"]] == [(1, 14), (3, 14)]
            assert all("".join(draft["lines"]) for draft in one["texts"])
        assert drafts(neovim) == NONE
