"""The extension's own tests, editors/vscode/test/*.test.ts, by the node of the editor."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.editors.vscode.workbench import ROOT, environment

pytestmark = pytest.mark.editor
HOME = ROOT / "editors" / "vscode"
LIMIT_S = 180


def test_the_extensions_own_tests_pass(programs: None) -> None:
    done = subprocess.run(
        ["npm", "test"],
        check=False,
        cwd=HOME,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    written = sum(
        len(re.findall(r"^test\(", path.read_text(encoding="utf-8"), re.M))
        for path in HOME.glob("test/*.test.ts")
    )
    assert f" pass {written}\n" in done.stdout, f"not all of {written}: {done.stdout[-3000:]}"
