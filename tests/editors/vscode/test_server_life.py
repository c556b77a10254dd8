"""A server that ends and is started again, in a real VS Code, while other things are asked for.

The server's program waits for a byte from a pipe for as long as the file `held` is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.conftest import SCRIPT, opened
from tests.editors.vscode.test_ghost_text import start
from tests.editors.vscode.workbench import FILL, Workbench

pytestmark = pytest.mark.editor
PROGRAM = """#!/bin/sh
[ -e {home}/held ] && dd if={home}/gate of=/dev/null bs=1 count=1
exec {python} -m lsp_server "$@"
"""


@pytest.fixture(scope="module")
def life(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    home = tmp_path_factory.mktemp("vscode")
    (home / "script.json").write_text(json.dumps(SCRIPT))
    os.mkfifo(home / "gate")
    write_program(home)
    settings = {
        "diffill.server.path": str(home / "diffill"),
        "diffill.server.args": ["--engine", f"scripted:{home / 'script.json'}"],
    }
    yield from opened(home, [], settings)


def write_program(home: Path) -> None:
    (home / "diffill").write_text(PROGRAM.format(home=home, python=sys.executable))
    (home / "diffill").chmod(0o755)


def kill(workbench: Workbench) -> None:
    (pid,) = workbench.server_pids()
    os.kill(pid, signal.SIGKILL)


def test_what_is_asked_while_it_starts_again_is_answered_by_the_one_server_that_stays(
    life: Workbench,
) -> None:
    start(life, "asked.py", "def add(a, b):\n    return ___\n", 2, 5)
    gate = os.open(life.home / "gate", os.O_RDWR)
    try:
        (life.home / "held").touch()
        kill(life)
        life.do("status", contains="the server is starting")
        life.keys(*FILL)
        life.do("command", title="Diffill: Restart Server")
        (life.home / "held").unlink()
        os.write(gate, b"..")  # the one that was given up may have left its `dd` behind
        life.do("quickTitle", contains="Fill: 1 of 1")
    finally:
        os.close(gate)
    assert life.do("count", selector=".notification-toast") == 0
    life.keys("Escape")
    life.do("gone", selector=".monaco-diff-editor")
    for _ in range(30):
        if len(life.server_pids()) == 1:
            return
        life.do("comes", what="status", contains="no such words", ms=200)  # it ends by and by
    raise AssertionError(f"several servers are left: {life.server_pids()}")


def test_one_that_cannot_be_started_again_is_named(life: Workbench) -> None:
    start(life, "gone.py", "x = 1\n", 1, 1)
    (life.home / "diffill").write_text("#!/nowhere/sh\n")
    kill(life)
    life.do("notification", contains="did not start: Launching server using command")
    life.do("status", contains="the server is not running")
    write_program(life.home)
    life.do("pressButton", label="Restart Server")
    life.do("status", contains="Diffill: model")
    assert len(life.server_pids()) == 1


def test_suggestions_that_were_switched_off_stay_off_when_it_starts_again(
    life: Workbench,
) -> None:
    start(life, "quiet.py", "x = 1\n", 1, 1)
    life.do("command", title="Diffill: Switch Suggestions On or Off")
    life.do("status", contains="suggestions were turned off")
    before = life.server_pids()
    kill(life)
    for _ in range(30):
        if life.server_pids() not in ([], before):
            break
        life.do("comes", what="status", contains="no such words", ms=200)
    life.do("status", contains="suggestions were turned off")
    life.do("command", title="Diffill: Switch Suggestions On or Off")
    life.do("status", contains="Diffill: model")
