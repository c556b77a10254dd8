"""Drafts in a real VS Code: seen while the model works, gone when it is done, never in the text.

The server's engine takes a step for every byte that the test writes to a pipe.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from tests.editors.vscode.conftest import opened
from tests.editors.vscode.test_ghost_text import saved, start
from tests.editors.vscode.workbench import FILL, REWRITE, Workbench

pytestmark = pytest.mark.editor

STEPS = 40
"""Many more than words: the server drops drafts that follow another too soon."""
ANSWERS = (
    ("(a, b):\n    return ", "left + right"),
    ("y = ", "x + x"),
    ("rows = read()\n", "total = sum(rows)\nshown = total"),
    ("# doubles x", "\ny = 2 * x"),
)
HOLES = "def add(a, b):\n    return ___\n"
AFTER = ".monaco-diff-editor .editor.modified .view-line"
OPEN = "\N{MEDIUM SHADE}"


class Gated:
    """A workbench whose engine waits for permits; one request at a time."""

    def __init__(self, workbench: Workbench, gate: int) -> None:
        self.workbench = workbench
        self._gate = gate
        self._taken = 0

    def _steps(self, count: int) -> None:
        os.write(self._gate, b"." * count)
        self._taken += count

    def until(self, what: str, **args: str) -> None:
        """Step by step until this is seen; the request is then still on its way."""
        while self._taken < STEPS - 1:
            self._steps(1)
            if self.workbench.do("comes", what=what, ms=300, **args):
                return
        raise AssertionError(f"no step showed {args}")

    def finish(self, what: str, **args: str) -> None:
        """Take the steps that are left until this is seen."""
        self._steps(STEPS - self._taken)
        while not self.workbench.do("comes", what=what, ms=3000, **args):
            assert self._taken < 2 * STEPS, f"no answer showed {args}"
            self._steps(1)  # a cancelled request took one before it heard of that
        self._taken = 0

    def notice(self) -> None:
        """A request that was cancelled ends at its next step."""
        self._steps(1)
        self._taken = 0

    def forget(self) -> None:
        """The server has ended, and its request with it."""
        self._taken = 0


@pytest.fixture(scope="module")
def gated(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gated]:
    home = tmp_path_factory.mktemp("vscode")
    os.mkfifo(home / "gate")
    answers = [
        {"before": before, "steps": STEPS, "candidates": [{"text": text}]}
        for before, text in ANSWERS
    ]
    (home / "script.json").write_text(
        json.dumps({"answers": answers, "gate": str(home / "gate")})
    )
    settings = {
        "diffill.server.interpreter": sys.executable,
        "diffill.server.args": ["--engine", f"scripted:{home / 'script.json'}"],
        "diffill.inline.trigger": "manual",
        "diffill.performance.encodeAhead": False,  # it would take steps, too
    }
    gate = os.open(home / "gate", os.O_RDWR)  # both ends, so that nobody waits for the other
    try:
        for workbench in opened(home, [], settings):
            yield Gated(workbench, gate)
    finally:
        os.close(gate)


def untouched(workbench: Workbench, name: str, text: str) -> None:
    """The document is as it was, in the editor and on disk."""
    assert workbench.do("count", selector=".tab.dirty") == 0
    assert saved(workbench, name) == text.encode()


def filling(gated: Gated, name: str) -> Workbench:
    """A file with a hole whose draft is seen."""
    start(gated.workbench, name, HOLES, 1, 1)
    gated.workbench.keys(*FILL)
    gated.until("drafted", contains=f"left{OPEN * 2}")
    return gated.workbench


def test_a_fill_is_seen_at_its_hole_before_it_is_there(gated: Gated) -> None:
    start(gated.workbench, "fill.py", HOLES, 1, 1)
    workbench = gated.workbench
    workbench.keys(*FILL)
    gated.until("drafted", contains=OPEN * 3)
    gated.until("drafted", contains=f"left{OPEN * 2}")
    assert workbench.do("peekDrafted") == [f"left{OPEN * 2}"], "it replaces the one before"
    assert workbench.do("count", selector=".tab.dirty") == 0
    assert workbench.do("count", selector=".monaco-diff-editor") == 0
    workbench.shot("draft-fill")
    gated.finish("quickTitle", contains="Fill: 1 of 1: 1 hole")
    workbench.keys("Escape")
    workbench.do("gone", selector=".monaco-diff-editor")
    workbench.do("undrafted")
    untouched(workbench, "fill.py", HOLES)


def test_every_hole_has_its_draft(gated: Gated) -> None:
    text = "def add(a, b):\n    return ___\n\n\nz = ___\n"
    start(gated.workbench, "holes.py", text, 1, 1)
    gated.workbench.keys(*FILL)
    gated.until("drafted", contains=f"left +{OPEN}|left +{OPEN}")
    gated.finish("quickTitle", contains="2 holes")
    gated.workbench.do("undrafted")
    gated.workbench.keys("Enter")
    gated.workbench.do("gone", selector=".monaco-diff-editor")
    filled = text.replace("___", "left + right").encode()
    gated.workbench.do("see", selector=".tab.active.dirty", contains="holes.py")
    assert saved(gated.workbench, "holes.py") == filled


@pytest.mark.parametrize(
    ("name", "text", "line", "title", "draft"),
    [
        (
            "lines.py", "rows = read()\n\nprint(shown)\n", 2, "Diffill: Write Lines Between",
            f"total = sum(rows) \N{DOWNWARDS ARROW WITH CORNER LEFTWARDS} shown{OPEN * 2}",
        ),
        (
            "body.py", "# doubles x\n", 1, "Diffill: Write the Body from the Comment",
            f" \N{DOWNWARDS ARROW WITH CORNER LEFTWARDS} y ={OPEN * 3}",
        ),
    ],
)  # fmt: skip
def test_lines_are_seen_where_they_will_stand(
    gated: Gated, name: str, text: str, line: int, title: str, draft: str
) -> None:
    column = len(text.splitlines()[line - 1]) + 1
    start(gated.workbench, name, text, line, column)
    gated.workbench.do("command", title=title)
    gated.until("drafted", contains=draft)
    gated.workbench.shot(f"draft-{name}")
    gated.finish("quickTitle", contains="1 hole")
    gated.workbench.do("undrafted")
    gated.workbench.keys("Escape")
    gated.workbench.do("gone", selector=".monaco-diff-editor")
    untouched(gated.workbench, name, text)


def test_escape_ends_a_fill_and_its_draft(gated: Gated) -> None:
    workbench = filling(gated, "cancel.py")
    workbench.keys("Escape")
    workbench.do("undrafted")
    gated.notice()
    untouched(workbench, "cancel.py", HOLES)
    assert workbench.do("count", selector=".quick-input-title:visible") == 0


def test_a_draft_goes_when_its_document_changes(gated: Gated) -> None:
    workbench = filling(gated, "change.py")
    workbench.do("type", text="#")
    workbench.do("undrafted")
    gated.notice()
    workbench.do("notification", contains="the document has changed since")
    assert workbench.do("peekDrafted") == []
    assert saved(workbench, "change.py") == b"#" + HOLES.encode()


def test_a_draft_goes_with_its_server(gated: Gated) -> None:
    workbench = filling(gated, "killed.py")
    (pid,) = workbench.server_pids()
    os.kill(pid, signal.SIGKILL)
    workbench.do("undrafted")
    gated.forget()
    workbench.do("status", contains="Diffill: model")
    untouched(workbench, "killed.py", HOLES)


def test_a_rewrite_is_seen_in_its_preview_before_it_can_be_applied(gated: Gated) -> None:
    workbench, text = gated.workbench, "def double(x):\n    y = x * 2\n"
    start(workbench, "rewrite.py", text, 2, 9)
    workbench.keys("Shift+End", *REWRITE)
    gated.until("see", selector=AFTER, contains=f"y = x{OPEN * 2}")
    workbench.keys("Enter")  # too early
    gated.until("see", selector=AFTER, contains=f"y = x +{OPEN}")
    workbench.shot("draft-rewrite")
    assert workbench.do("count", selector=".tab.dirty") == 0
    workbench.keys("ArrowDown")  # another strength: the draft of this one goes
    workbench.do("see", selector=AFTER, contains="y = x * 2")
    gated.notice()
    gated.until("see", selector=AFTER, contains=f"y = x{OPEN * 2}")
    gated.finish("quickTitle", contains="strength 0.5: 1 of 1")
    workbench.do("see", selector=AFTER, contains="y = x + x")
    workbench.keys("Escape")
    workbench.do("gone", selector=".monaco-diff-editor")
    untouched(workbench, "rewrite.py", text)


def test_a_rewrite_that_is_given_up_leaves_no_draft(gated: Gated) -> None:
    workbench, text = gated.workbench, "def double(x):\n    y = x * 2\n"
    start(workbench, "given-up.py", text, 2, 9)
    workbench.keys("Shift+End", *REWRITE)
    gated.until("see", selector=AFTER, contains=f"y = x{OPEN * 2}")
    workbench.keys("Escape")
    workbench.do("gone", selector=".monaco-diff-editor")
    gated.notice()
    untouched(workbench, "given-up.py", text)
