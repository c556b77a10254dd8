"""Cells of a notebook in a real VS Code: offered to like files, and told to the server once.

The server's program keeps what it is sent.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest

from tests.editors.vscode.conftest import SCRIPT, opened
from tests.editors.vscode.test_ghost_text import start
from tests.editors.vscode.workbench import FILL, Workbench

pytestmark = pytest.mark.editor
CELLS = ".notebookOverlay .monaco-editor .view-lines"


@pytest.fixture
def heard(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    home = tmp_path_factory.mktemp("vscode")
    (home / "script.json").write_text(json.dumps(SCRIPT))
    program = home / "diffill"
    program.write_text(f'#!/bin/sh\ntee -a {home}/sent | "{sys.executable}" -m lsp_server "$@"\n')
    program.chmod(0o755)
    settings = {
        "diffill.server.path": str(program),
        "diffill.server.args": ["--engine", f"scripted:{home / 'script.json'}"],
    }
    yield from opened(home, [], settings)


def notebook(*sources: str) -> str:
    cells = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": one}
        for one in sources
    ]
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def methods_about(workbench: Workbench) -> list[str]:
    """The methods of all messages that name a cell."""
    sent = (workbench.home / "sent").read_text()
    messages = [json.loads(text) for text in re.split(r"Content-Length: \d+\n\n", sent) if text]
    return [one["method"] for one in messages if "vscode-notebook-cell" in json.dumps(one)]


def test_cells_are_offered_to_and_told_once(heard: Workbench) -> None:
    start(heard, "plain.py", "x = 1\n", 1, 1)  # by then it is known what a notebook is
    (heard.folder / "book.ipynb").write_text(notebook("x = 1", "def add(a, b):\n    pass"))
    heard.do("open", name="book.ipynb", lines=CELLS)
    heard.do("click", selector=f"{CELLS}:has-text('pass')")
    heard.keys("End")
    heard.do("type", text="\n    return ")
    heard.do("ghost", contains="a + b")
    heard.shot("notebook")
    heard.keys("Tab")
    heard.do("see", selector=CELLS, contains="a + b")
    assert {"notebookDocument/didOpen", "notebookDocument/didChange"} <= {*methods_about(heard)}
    heard.do("command", title="Diffill: Restart Server")
    heard.do("status", contains="the server is starting")
    heard.do("status", contains="Diffill: model")
    heard.do("click", selector=f"{CELLS}:has-text('pass')")
    heard.keys("Control+End")
    heard.do("type", text="\n    y = ")
    heard.do("ghost", contains="x + x")
    methods = methods_about(heard)
    assert methods.count("notebookDocument/didOpen") == 2
    assert not [method for method in methods if method.startswith("textDocument/did")]
    heard.keys("Escape", "Control+a")
    heard.do("type", text="def f(x):\n    return ___\n")
    heard.keys(*FILL)
    heard.do("quickTitle", contains="Fill: 1 of 1")
    heard.keys("Enter")
    heard.do("gone", selector=".monaco-diff-editor")
    heard.do("see", selector=CELLS, contains="return a + b")
