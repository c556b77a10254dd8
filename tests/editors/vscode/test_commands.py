"""The commands and the server's life in a real VS Code: rewrite, explain, crash."""

from __future__ import annotations

import os
import signal

import pytest

from tests.editors.vscode.test_ghost_text import saved, start
from tests.editors.vscode.workbench import REWRITE, Workbench

pytestmark = pytest.mark.editor
AFTER = ".monaco-diff-editor .editor.modified .view-line"


def test_a_selection_is_rewritten_after_a_live_preview(scripted: Workbench) -> None:
    start(scripted, "rewrite.py", "def double(x):\n    y = x * 2\n    return y\n", 2, 9)
    scripted.keys("Shift+End", *REWRITE)
    scripted.do("quickTitle", contains="strength 0.3: 1 of 3: changes 30 %")
    scripted.do("see", selector=AFTER, contains="y = x + x")
    scripted.keys("ArrowRight")
    scripted.do("quickTitle", contains="2 of 3")
    scripted.do("see", selector=AFTER, contains="y = 2 * x")
    scripted.keys("ArrowDown")
    scripted.do("quickTitle", contains="strength 0.5: 1 of 3: changes 50 %")
    scripted.keys("ArrowRight")
    scripted.do("see", selector=AFTER, contains="y = 2 * x")
    scripted.shot("rewrite")
    scripted.keys("Enter")
    scripted.do("gone", selector=".monaco-diff-editor")
    scripted.do("see", selector=".editor-instance .view-line", contains="y = 2 * x")
    assert saved(scripted, "rewrite.py") == b"def double(x):\n    y = 2 * x\n    return y\n"
    scripted.keys("Control+z")
    assert saved(scripted, "rewrite.py") == b"def double(x):\n    y = x * 2\n    return y\n"


def test_escape_leaves_the_text_as_it_was(scripted: Workbench) -> None:
    text = "def triple(x):\n    y = x * 3\n"
    start(scripted, "escape.py", text, 2, 9)
    scripted.keys("Shift+End", *REWRITE)
    scripted.do("see", selector=AFTER, contains="y = x + x")
    scripted.keys("Escape")
    scripted.do("gone", selector=".monaco-diff-editor")
    assert scripted.do("count", selector=".tab.active.dirty") == 0
    assert (scripted.folder / "escape.py").read_text() == text


def test_the_last_request_is_explained(scripted: Workbench) -> None:
    start(scripted, "explain.py", "x = 1\n\n", 2, 1)
    scripted.do("type", text="cold = ")
    scripted.do("status", contains="Nothing was shown last")
    scripted.do("command", title="Diffill: Explain the Last Suggestion")
    scripted.do("see", selector=".tab", contains="Last suggestion")
    scripted.shot("explain")
    scripted.keys("Control+w")


def test_the_log_is_shown(scripted: Workbench) -> None:
    start(scripted, "log.py", "x = 1\n", 1, 1)
    scripted.do("command", title="Diffill: Show Log")
    scripted.do("click", selector=".panel .output-view .view-lines")
    scripted.keys("Control+Home")  # it is shown from its end
    scripted.do("see", selector=".panel .output-view .view-line", contains="starting ")
    scripted.shot("log")
    scripted.do("command", title="View: Hide Panel")
    scripted.do("gone", selector=".panel .output-view .view-line")


def test_the_walkthrough_is_opened(scripted: Workbench) -> None:
    start(scripted, "walk.py", "x = 1\n", 1, 1)
    scripted.do("command", title="Diffill: Open the Walkthrough")
    page = ".gettingStartedContainer"
    scripted.do("see", selector=f"{page} .category-title", contains="Get started with Diffill")
    for step in ("Find or install the server", "Rewrite a selection", "Tune on your repository"):
        scripted.do("see", selector=f"{page} .step-title", contains=step)
    scripted.shot("walkthrough")
    scripted.keys("Control+w")
    scripted.do("gone", selector=page)


def test_a_killed_server_comes_back(scripted: Workbench) -> None:
    start(scripted, "killed.py", "def add(a, b):\n    \n", 2, 5)
    (pid,) = scripted.server_pids()
    os.kill(pid, signal.SIGKILL)
    scripted.do("status", contains="the server is starting")
    scripted.do("status", contains="Diffill: model")
    assert pid not in scripted.server_pids()
    scripted.do("type", text="return ")
    scripted.do("ghost", contains="a + b")
    scripted.keys("Tab")
    assert saved(scripted, "killed.py") == b"def add(a, b):\n    return a + b\n"


def test_a_server_that_keeps_ending_is_given_up_with_a_way_back(scripted: Workbench) -> None:
    start(scripted, "gone.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("command", title="Diffill: Restart Server")
    scripted.do("status", contains="the server is starting")
    for _ in range(4):
        scripted.do("status", contains="Diffill: model")
        (pid,) = scripted.server_pids()
        os.kill(pid, signal.SIGKILL)
        scripted.do("status", contains="the server is")
    scripted.do("notification", contains="ended by itself 4 times")
    scripted.do("status", contains="the server is not running")
    scripted.shot("given-up")
    scripted.do("pressButton", label="Restart Server")
    scripted.do("status", contains="Diffill: model")
    assert len(scripted.server_pids()) == 1


def test_suggestions_are_switched_off_and_on(scripted: Workbench) -> None:
    start(scripted, "toggle.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("command", title="Diffill: Switch Suggestions On or Off")
    scripted.do("status", contains="circle-slash")
    scripted.do("type", text="return ")
    scripted.do("status", contains="Nothing was shown last")
    assert scripted.do("peekGhost") == ""
    scripted.do("command", title="Diffill: Switch Suggestions On or Off")
    scripted.do("status", contains="Diffill: model")
    scripted.keys("Alt+\\")
    scripted.do("ghost", contains="a + b")


def test_a_file_of_another_kind_is_named_and_not_asked_about(scripted: Workbench) -> None:
    start(scripted, "served.py", "x = 1\n", 1, 1)
    start(scripted, "notes.md", "a ___ line\n", 1, 1)
    for ask in ("Fill the Holes (___)", "Rewrite Selection..."):
        scripted.do("command", title=f"Diffill: {ask}")
        scripted.do("notification", contains="Diffill works in python, javascript,")
        scripted.do("notification", contains="cpp; this is markdown.")
        scripted.do("command", title="Notifications: Clear All Notifications")
    scripted.do("command", title="Diffill: Write Lines Between")
    scripted.do("notification", contains="cpp; this is markdown.")
    scripted.do("command", title="Notifications: Clear All Notifications")
