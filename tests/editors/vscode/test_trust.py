"""A folder that is not trusted, in a real VS Code: what the server is told before and after.

The server is started by a script that keeps what it hears, one file for each start.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.workbench import Workbench
from tests.support.lsp_process import script

pytestmark = pytest.mark.editor
TUNES_BY_ITSELF = {"diffill.train.keepUp": True, "diffill.train.autoResume": True}
RESTARTS = 100


@pytest.fixture
def wary(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code that trusts no folder, in which tuning by itself is switched on."""
    program = tmp_path / "diffill"
    heard = f'tee "{tmp_path}/heard-$$"'
    program.write_text(f'#!/bin/sh\n{heard} | "{sys.executable}" -m lsp_server "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "project"
    (folder / ".vscode").mkdir(parents=True)
    (folder / ".vscode" / "settings.json").write_text(
        '{"diffill.model.adapter": "the-folders", "diffill.train.keepUp": true}'
    )
    (folder / "a.py").write_text("x = 1\n")
    settings = {
        "security.workspace.trust.enabled": True,
        "security.workspace.trust.startupPrompt": "never",
        "diffill.server.path": str(program),
        "diffill.server.args": ["--engine", script(tmp_path)],
        **TUNES_BY_ITSELF,
    }
    workbench = Workbench(folder, tmp_path, settings, trusts_all=False)
    try:
        yield workbench
    finally:
        workbench.close()


def told(paths: set[Path], key: str) -> set[str]:
    """All values of a setting that these starts of the server heard of."""
    text = "".join(path.read_text() for path in paths)
    return set(re.findall(rf'"{key}":("[^"]*"|\w+)', text))


def test_nothing_tunes_by_itself_until_the_folder_is_trusted(wary: Workbench) -> None:
    def heard() -> set[Path]:
        return set(wary.home.glob("heard-*"))

    wary.do("open", name="a.py")
    wary.do("status", contains="Diffill: model")
    before = heard()
    assert told(before, "keepUp") == told(before, "autoResume") == {"false"}
    assert told(before, "adapter") == {'"auto"'}
    wary.do("command", title="Workspaces: Manage Workspace Trust")
    wary.shot("not-trusted")
    wary.do("click", selector='.workspace-trust-editor .monaco-button:text-is("Trust")')
    for _ in range(RESTARTS):
        if told(heard() - before, "adapter"):
            break
        wary.do("comes", what="status", contains="starting", ms=300)
    wary.do("status", contains="Diffill: model")
    after = heard() - before
    assert told(after, "keepUp") == told(after, "autoResume") == {"true"}
    assert told(after, "adapter") == {'"the-folders"'}
    assert told(before, "keepUp") == {"false"}
