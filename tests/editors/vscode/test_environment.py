"""A machine with no server at all, in a real VS Code: the offer to make an environment is taken.

What pip installs is a small wheel, so that nothing is fetched: its `lsp_server` is the checkout's.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.editors.vscode.conftest import SCRIPT, opened
from tests.editors.vscode.workbench import ROOT, Workbench, environment

pytestmark = pytest.mark.editor

MAIN = """
import os, sys
os.environ["PYTHONPATH"] = {root!r}
os.execv({python!r}, [{python!r}, "-m", "lsp_server", *sys.argv[1:]])
"""


def wheel(folder: Path) -> Path:
    """A wheel named diffill whose server is that of this checkout."""
    path = folder / "diffill-0.1.0-py3-none-any.whl"
    info = "diffill-0.1.0.dist-info"
    files = {
        "lsp_server/__init__.py": "",
        "lsp_server/__main__.py": MAIN.format(root=str(ROOT), python=sys.executable),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: diffill\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def bare(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code where no server can be found, but a Python can."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    env = environment()
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "XDG_DATA_HOME", "UV_TOOL_DIR", "PIPX_HOME"):
        env.pop(name, None)
    node = env["PATH"].split(os.pathsep)[0]
    python = Path(sys.base_prefix) / "bin"
    env |= {"HOME": str(tmp_path / "home"), "PATH": f"{node}:{python}:/usr/bin:/bin"}
    settings = {
        "diffill.server.package": str(wheel(tmp_path)),
        "diffill.server.args": ["--engine", f"scripted:{script}"],
    }
    yield from opened(tmp_path, [], settings, env)


def test_an_environment_is_made_and_serves(bare: Workbench) -> None:
    (bare.folder / "new.py").write_text("def add(a, b):\n    \n")
    bare.do("open", name="new.py")
    bare.do("notification", contains="No Diffill server was found on this machine")
    bare.shot("no-server")
    bare.do("pressButton", label="Create Environment")
    bare.do("notification", contains="making the environment")
    bare.do("status", contains="Diffill: model", ms=60_000)
    bare.do("goto", line=2, column=5)
    bare.do("type", text="return ")
    bare.do("ghost", contains="a + b")
    bare.keys("Tab")
    bare.do("save", name="new.py")
    assert (bare.folder / "new.py").read_bytes() == b"def add(a, b):\n    return a + b\n"
