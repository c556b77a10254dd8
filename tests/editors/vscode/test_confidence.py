"""How sure the model is of each part of a suggestion, shown by a hover in a real VS Code."""

from __future__ import annotations

import pytest

from tests.editors.vscode.test_ghost_text import saved, start
from tests.editors.vscode.workbench import Workbench

pytestmark = pytest.mark.editor
HOVER = ".monaco-hover .hover-contents"


def test_a_hover_shades_the_suggestion_where_it_is_switched_on(scripted: Workbench) -> None:
    scripted.set(diffill__confidence__hover=True)
    start(scripted, "sure.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("type", text="return ")
    scripted.do("ghost", contains="a + b")
    scripted.keys("Control+k", "Control+i")
    scripted.do("see", selector=HOVER, contains="90 % sure: a + b")
    coloured = f"{HOVER} span[style*=vscode-editor]"
    scripted.do("see", selector=f"{coloured}[style*=Info]", contains="+")
    scripted.do("see", selector=f"{coloured}[style*=Warning]", contains="b")
    assert scripted.do("peekGhost") == "a + b"
    scripted.shot("confidence")
    scripted.keys("Escape")
    assert saved(scripted, "sure.py") == b"def add(a, b):\n    return \n"


def test_code_in_the_hover_is_no_markdown(scripted: Workbench) -> None:
    scripted.set(diffill__confidence__hover=True)
    start(scripted, "code.py", "x = 1\n\n", 2, 1)
    scripted.do("type", text="super().")
    scripted.do("ghost", contains="__init__(*a, *b)")
    scripted.keys("Control+k", "Control+i")
    scripted.do("see", selector=HOVER, contains="90 % sure: __init__(*a, *b)")
    scripted.keys("Escape")
    scripted.set()


def test_suggestions_are_snoozed_and_wake_again(scripted: Workbench) -> None:
    start(scripted, "snooze.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("command", title="Diffill: Snooze")
    scripted.do("see", selector=".quick-input-list .monaco-list-row", contains="5 minutes")
    scripted.keys("Enter")
    scripted.do("status", contains="snoozed")
    scripted.do("command", title="Diffill: Snooze")
    scripted.do("see", selector=".quick-input-list .monaco-list-row", contains="No longer")
    scripted.do("type", text="No longer")
    scripted.keys("Enter")
    scripted.do("status", contains="Diffill: model")
    scripted.do("type", text="return ")
    scripted.do("ghost", contains="a + b")
