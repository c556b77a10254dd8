"""The plugin replays the messages of `tests/wire/`: what it asks, and what it makes of answers.

Nothing but the method's answer is played; the plugin asks through its real client.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.editors.neovim.conftest import VERSIONS
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server
from tests.support.wire_fixtures import fixtures

FIXTURES = fixtures()
PLAYED = """
    local luanil = { luanil = { object = true } }
    local fixture, real = vim.json.decode(..., luanil), client().request
    client().request = function(self, method, params, callback, buf)
      if method ~= fixture.method then
        return real(self, method, params, callback, buf)
      end
      _G.asked = vim.json.encode(params or vim.NIL)
      callback(nil, fixture.result)
      return true, 1
    end
"""


@pytest.fixture(scope="module", params=VERSIONS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Neovim]:
    folder = tmp_path_factory.mktemp("neovim")
    with running(
        request.param, folder, cmd=server(folder, "--engine", script(folder)), confidence=True
    ) as neovim:
        yield neovim


def play(
    neovim: Neovim,
    method: str,
    command: str,
    cursor: tuple[int, int] | None = None,
    **differently: Any,
) -> Any:
    """Run a command with the fixture's answer to one method, less what it says differently; what
    was asked."""
    fixture = FIXTURES[method]
    if differently:
        fixture = {**fixture, "result": {**fixture["result"], **differently}}
    neovim.open("a.py", fixture.get("document", "x = 1\n"))
    if cursor is not None:
        neovim.lua("vim.api.nvim_win_set_cursor(0, { ... })", *cursor)
    neovim.lua("_G.asked = nil")
    neovim.lua(PLAYED, json.dumps(fixture))
    neovim.command(command)
    neovim.wait("asked ~= nil")
    neovim.lua("client().request = nil")
    return json.loads(neovim.lua("return asked"))


@pytest.mark.parametrize(
    ("method", "command", "parts"),
    [
        ("diffill/status", "status", ["Normal: model ready", "model: scripted", "p50 2 ms"]),
        ("diffill/explainLast", "explain", ["inlineCompletion at 2:12, while typing", "shown: 2"]),
        ("diffill/rewrite", "rewrite 1.0", ["-total = sum(x for x in xs)", "+max(xs)"]),
        (
            "diffill/train/plan",
            "train plan",
            ["7 files, 2310 tokens", "1 files held out", "about 4 minutes", "left out: 1 secret"],
        ),
        ("diffill/model/list", "model list", ["bundled model, not tuned", "tuned-1, selected"]),
    ],
)
def test_an_answer_is_shown(neovim: Neovim, method: str, command: str, parts: list[str]) -> None:
    play(neovim, method, f"Diffill {command}")
    listed = json.dumps(parts)
    neovim.wait(
        f"return window() and vim.iter(vim.json.decode([==[{listed}]==])):all(function(part)"
        " return window():find(part, 1, true) end)"
    )
    neovim.keys("q")
    neovim.wait("window() == nil")


@pytest.mark.parametrize(
    ("method", "command", "said"),
    [
        ("diffill/train/start", "train start", "tuning on /work/shop has begun"),
        ("diffill/train/status", "train status", "tuning: runs, loss 2.04, 4 min left"),
        ("diffill/train/pause", "train pause", "tuning: paused, loss 2.04"),
        ("diffill/train/resume", "train resume", "tuning: runs"),
        ("diffill/train/stop", "train stop", "tuning: runs"),
        ("diffill/model/select", "model base", "the base model is used from now on"),
        ("diffill/model/delete", "model delete tuned-1", "tuned-1 is deleted"),
        ("workspace/executeCommand", "snooze 5", "quiet for 5 minutes"),
    ],
)
def test_an_answer_is_said_and_the_question_is_the_fixtures(
    neovim: Neovim, method: str, command: str, said: str
) -> None:
    assert play(neovim, method, f"Diffill {command}") == FIXTURES[method]["params"]
    neovim.hears(said)


def test_an_adapter_that_is_not_served_is_not_said_to_be(neovim: Neovim) -> None:
    why = "diffill.model.adapter is none; write auto there"
    play(neovim, "diffill/model/select", "Diffill model select tuned-1", notServed=why)
    neovim.hears(f"tuned-1 is chosen, but not used: {why}")
    play(neovim, "diffill/status", "Diffill status", adapterProblem="tuned-1 holds NaN")
    neovim.wait("window() and window():find('problem: tuned-1 holds NaN', 1, true)")
    neovim.keys("q")
    neovim.wait("window() == nil")
    told = {"adapterProblem": "no a", "problems": ["diffill.model.adapter: no a"]}
    play(neovim, "diffill/status", "Diffill status", **told)
    neovim.wait("window() and window():find('setting: diffill.model.adapter: no a', 1, true)")
    assert neovim.lua("return window():find('problem: ', 1, true) == nil")
    neovim.keys("q")
    neovim.wait("window() == nil")


def test_the_edits_of_a_fill_are_applied(neovim: Neovim) -> None:
    asked = play(neovim, "diffill/fill", "Diffill fill")
    assert asked["marker"] == "___"
    neovim.hears("2 holes filled")
    assert neovim.lines()[1:] == [
        "    def __init__(self, width):",
        "        self.size = width",
    ]


@pytest.mark.parametrize(
    ("method", "command", "cursor", "lines"),
    [
        ("diffill/bridge", "bridge", (2, 0), "rows = read()|total = sum(rows)|print(total)"),
        ("diffill/fromComment", "comment", (1, 11), "# doubles x|y = 2 * x"),
    ],
)
def test_lines_are_asked_for_at_the_cursor_and_written_there(
    neovim: Neovim, method: str, command: str, cursor: tuple[int, int], lines: str
) -> None:
    """The question is the fixture's, but for the name of the file and the token of the drafts."""
    neovim.command("set virtualedit=onemore")
    asked = play(neovim, method, f"Diffill {command}", cursor)
    neovim.command("set virtualedit=")
    assert asked["position"] == FIXTURES[method]["params"]["position"]
    assert asked.keys() - {"partialResultToken"} == FIXTURES[method]["params"].keys()
    neovim.hears("written; u takes it back")
    assert "|".join(neovim.lines()) == lines


def test_what_the_server_needs_to_be_told_is_announced(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    wanted = FIXTURES["initialize"]["params"]["capabilities"]["experimental"]
    told = neovim.lua(
        "local told = { capabilities = vim.lsp.protocol.make_client_capabilities() }"
        " require('diffill.client').before_init(told, {}) return told.capabilities.experimental"
    )
    assert told == wanted


def notified(neovim: Neovim, method: str, params: object) -> None:
    """As if the server of the present buffer had told it."""
    context = "{client_id = client().id, method = method}"
    code = f"local method, params = ... client().handlers[method](nil, params, {context})"
    neovim.lua(code, method, params)


def test_the_events_of_a_run_reach_the_status_line(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    ready = FIXTURES["diffill/statusDidChange"]["notifications"][-1]
    notified(neovim, "diffill/statusDidChange", ready)
    shown = []
    for event in FIXTURES["diffill/train/progress"]["notifications"]:
        notified(neovim, "diffill/train/progress", event)
        shown.append(neovim.lua("return require('diffill').statusline()"))
    assert shown == [
        f"diffill {word}"
        for word in (
            "scanning", "tuning", "planning", "measuring", "measuring 12%", "tuning",
            "choosing a rate", "tuning", "tuning 25%",
            "paused", "tuning", "tuning", "tuning", "on", "on", "on", "on", "on",
        )
    ]  # fmt: skip
    for text in (
        "tuning: the disk is full: free some space",
        "tuning tuned-1 is ready; loss on held-out files 2.31 -> 1.87",
        "tuning is over: nothing was gained",
        "tuning stopped: run again to go on",
        "tuning failed: the disk is full",
    ):
        neovim.hears(text)
    assert not neovim.lua("return heard('not now')"), "nobody asked for that run"


def test_a_pushed_status_reaches_the_status_line(neovim: Neovim) -> None:
    neovim.open("a.py", "\n")
    shown = []
    for status in FIXTURES["diffill/statusDidChange"]["notifications"]:
        notified(neovim, "diffill/statusDidChange", status)
        shown.append(neovim.lua("return require('diffill').statusline()"))
    assert shown == ["diffill loading", "diffill on"]


def test_ghost_text_is_drawn_and_shaded_as_the_answers_say(neovim: Neovim) -> None:
    inline, sure = FIXTURES["textDocument/inlineCompletion"], FIXTURES["diffill/confidence"]
    neovim.open("a.py", inline["document"].replace("return ", "return"))
    neovim.lua(PLAYED, json.dumps(inline))
    neovim.lua(PLAYED, json.dumps(sure))
    neovim.keys("jA ")
    neovim.shows("a + b")
    neovim.wait("#ghost().groups == 3")
    found = neovim.ghost()
    assert found is not None
    assert found["groups"] == [
        ["a ", "DiffillGhost"], ["+ ", "DiffillGhostUnsure"], ["b", "DiffillGhostDoubtful"],
    ]  # fmt: skip
    neovim.keys("<C-f>")
    neovim.wait("vim.api.nvim_get_current_line() == '    return a'")
    neovim.lua("client().request = nil")
