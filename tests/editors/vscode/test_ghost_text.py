"""Ghost text in a real VS Code: shown, cycled, taken whole or by the word, and what is on disk."""

from __future__ import annotations

import pytest

from tests.editors.vscode.workbench import Workbench

pytestmark = pytest.mark.editor
STATUS = ".statusbar-item"


def start(workbench: Workbench, name: str, text: str, line: int, column: int) -> None:
    """Open a new file with the cursor at a 1-based place."""
    (workbench.folder / name).write_text(text)
    workbench.do("open", name=name)
    workbench.do("status", contains="Diffill: model")
    workbench.do("goto", line=line, column=column)


def saved(workbench: Workbench, name: str) -> bytes:
    workbench.do("save", name=name)
    return (workbench.folder / name).read_bytes()


def test_a_line_is_offered_and_tab_takes_it(scripted: Workbench) -> None:
    start(scripted, "single.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("type", text="return ")
    assert scripted.do("ghost", contains="a + b") == "a + b"
    scripted.shot("single-line")
    scripted.keys("Tab")
    assert saved(scripted, "single.py") == b"def add(a, b):\n    return a + b\n"


def test_ghost_text_in_the_middle_of_a_line(scripted: Workbench) -> None:
    start(scripted, "middle.py", "total = count = 1\n)  # done\n", 2, 1)
    scripted.do("type", text="print(")
    assert scripted.do("ghost", contains="total, count")
    scripted.shot("mid-line")
    scripted.keys("Tab")
    assert saved(scripted, "middle.py") == b"total = count = 1\nprint(total, count)  # done\n"


def test_several_lines_are_offered_and_taken(scripted: Workbench) -> None:
    start(scripted, "several.py", "def sum_all(items):\n    \n", 2, 5)
    scripted.keys("Alt+\\")
    scripted.do("ghost", contains="total += item")
    scripted.shot("multi-line")
    scripted.keys("Tab")
    assert saved(scripted, "several.py") == (
        b"def sum_all(items):\n    total = 0\n    for item in items:\n        total += item\n"
        b"    return total\n"
    )


def test_the_next_word_is_taken(scripted: Workbench) -> None:
    start(scripted, "words.py", "x = 1\n\n", 2, 1)
    scripted.do("type", text="value = ")
    scripted.do("ghost", contains="alpha(beta, gamma)")
    scripted.keys("Control+ArrowRight")
    assert saved(scripted, "words.py") == b"x = 1\nvalue = alpha\n"


def test_the_next_line_is_taken_by_its_key(scripted: Workbench) -> None:
    start(scripted, "lines.py", "def sum_all(items):\n    \n", 2, 5)
    scripted.keys("Alt+\\")
    scripted.do("ghost", contains="total += item")
    scripted.keys("Control+Alt+ArrowRight")
    scripted.do("see", selector=STATUS, contains="Ln 3, Col 1")
    scripted.do("ghost", contains="for item in items:")
    assert saved(scripted, "lines.py") == b"def sum_all(items):\n    total = 0\n\n"


def test_the_commands_of_a_suggestion_can_be_called_by_name(scripted: Workbench) -> None:
    """In the palette only where VS Code keeps a suggestion while the palette has the focus."""
    scripted.set(editor__inlineSuggest__keepOnBlur=True)
    start(scripted, "palette.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("type", text="return ")
    scripted.do("ghost", contains="a + b")
    scripted.do("command", title="Diffill: Next Alternative")
    assert scripted.do("ghost", contains="sum((a, b))") == "sum((a, b))"
    scripted.do("command", title="Diffill: Previous Alternative")
    scripted.do("ghost", contains="a + b")
    scripted.do("command", title="Diffill: Accept Next Word")
    scripted.do("see", selector=STATUS, contains="Ln 2, Col 13")
    scripted.set()
    assert saved(scripted, "palette.py") == b"def add(a, b):\n    return a\n"


def test_alternatives_are_cycled(scripted: Workbench) -> None:
    start(scripted, "cycle.py", "def add(a, b):\n    \n", 2, 5)
    scripted.do("type", text="return ")
    scripted.do("ghost", contains="a + b")
    scripted.keys("Alt+]")
    assert scripted.do("ghost", contains="sum((a, b))") == "sum((a, b))"
    scripted.keys("Alt+]")
    scripted.do("ghost", contains="b + a")
    scripted.keys("Alt+[")
    scripted.do("ghost", contains="sum((a, b))")
    scripted.keys("Tab")
    assert saved(scripted, "cycle.py") == b"def add(a, b):\n    return sum((a, b))\n"


def test_a_setting_is_followed_while_the_server_runs(scripted: Workbench) -> None:
    start(scripted, "setting.py", "x = 1\n\n", 2, 1)
    before = scripted.server_pids()
    scripted.set(diffill__enable=False)
    scripted.do("status", contains="diffill.enable is off")
    scripted.do("type", text="typed")
    scripted.do("status", contains="Nothing was shown last")
    assert scripted.do("peekGhost") == ""
    scripted.set()
    scripted.do("status", contains="Diffill: model")
    scripted.keys("Alt+\\")
    scripted.do("ghost", contains="_here = 1")
    assert scripted.server_pids() == before


def test_a_bad_setting_is_named(scripted: Workbench) -> None:
    start(scripted, "bad.py", "x = 1\n\n", 2, 1)
    scripted.set(diffill__inline__maxLines=100_000)
    scripted.do("notification", contains="diffill.inline.maxLines")
    scripted.set()


def test_the_page_reached_for_nothing_outside(scripted: Workbench) -> None:
    start(scripted, "outside.py", "x = 1\n", 2, 1)
    assert scripted.do("outside") == []
