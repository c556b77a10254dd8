"""What goes wrong before anything works, in a real VS Code: each is named with its fix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.conftest import opened
from tests.editors.vscode.workbench import FILL, REWRITE, Workbench

pytestmark = pytest.mark.editor


@pytest.fixture
def old(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code with a server that is older than the extension."""

    program = tmp_path / "old-diffill"
    server = Path(__file__).parents[1] / "old_server.py"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{server}"\n')
    program.chmod(0o755)
    yield from opened(tmp_path, [], {"diffill.server.path": str(program)})


@pytest.fixture
def lost(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code with a setting that leads nowhere."""

    yield from opened(tmp_path, [], {"diffill.server.path": "/nowhere/diffill"})


def test_an_old_server_is_named_and_so_is_what_it_cannot_do(old: Workbench) -> None:
    (old.folder / "old.py").write_text("def f(x):\n    return ___\n")
    old.do("open", name="old.py")
    old.do("notification", contains="is version 0.0.9")
    old.do("goto", line=2, column=5)
    cannot = {FILL: "fill several holes", REWRITE: "rewrite a selection"}
    for chord, what in cannot.items():
        old.keys(*chord)
        old.do("notification", contains=f"this server (0.0.9) is too old to {what}")
        old.keys("Escape")
    old.do("command", title="Diffill: Switch Suggestions On or Off")
    old.do("notification", contains="too old to switch suggestions off or on")
    old.shot("too-old")


def test_a_setting_that_leads_nowhere_is_named_and_mended_at_once(
    lost: Workbench, tmp_path: Path
) -> None:
    (lost.folder / "lost.py").write_text("x = 1\n")
    lost.do("open", name="lost.py")
    lost.do("notification", contains="diffill.server.path is /nowhere/diffill")
    lost.do("status", contains="the server is not running")
    lost.shot("not-found")
    script = tmp_path / "script.json"
    script.write_text('{"answers": []}')
    lost.set(
        diffill__server__path="",
        diffill__server__interpreter=sys.executable,
        diffill__server__args=["--engine", f"scripted:{script}"],
    )
    lost.do("status", contains="Diffill: model")


def test_a_model_that_is_not_there_is_named_with_its_setting(
    lost: Workbench, tmp_path: Path, tiny_model_dir: Path
) -> None:
    own = {"diffill__server__path": "", "diffill__server__interpreter": sys.executable}
    lost.set(**own, diffill__model__path=str(tmp_path / "no-model"))
    (lost.folder / "model.py").write_text("x = 1\n")
    lost.do("open", name="model.py")
    lost.do("notification", contains="no-model does not exist; name an existing one", ms=60_000)
    lost.do("notification", contains="diffill.model.path (empty: the bundled one)")
    lost.do("status", contains="Diffill: model folder")
    lost.shot("no-model")
    lost.set(**own, diffill__model__path=str(tiny_model_dir))
    lost.do("status", contains="Diffill: model idle")
    lost.keys("Alt+\\")
    lost.do("status", contains="Diffill: model ready", ms=60_000)


def test_a_server_that_does_not_start_says_why(lost: Workbench, tmp_path: Path) -> None:
    program = tmp_path / "broken-diffill"
    program.write_text("#!/bin/sh\necho 'no space left on the moon' >&2\nexit 1\n")
    program.chmod(0o755)
    lost.set(diffill__server__path=str(program))
    (lost.folder / "broken.py").write_text("x = 1\n")
    lost.do("open", name="broken.py")
    lost.do("notification", contains="no space left on the moon")
    lost.do("status", contains="the server is not running")
    lost.shot("broken")


def test_a_setting_of_the_wrong_type_is_named_and_mended_at_once(
    lost: Workbench, tmp_path: Path
) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"answers": []}')
    own = {"diffill__server__path": None, "diffill__server__interpreter": sys.executable}
    lost.set(**own, diffill__server__args="--log-level debug")
    (lost.folder / "typed.py").write_text("x = 1\n")
    lost.do("open", name="typed.py")
    lost.do("notification", contains='args is "--log-level debug", and must be a list of texts')
    lost.do("status", contains="the server is not running")
    lost.shot("wrong-type")
    lost.set(**own, diffill__server__args=["--engine", f"scripted:{script}"])
    lost.do("status", contains="Diffill: model")
