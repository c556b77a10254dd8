"""A machine with no server at all, in a real VS Code: the offer to make an environment is taken.

What pip installs is a small wheel, so that nothing is fetched: its `lsp_server` is the checkout's.
"""

from __future__ import annotations

import json
import os
import shutil
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
        "lsp_server/__init__.py": 'NAME = "diffill"\n',
        "lsp_server/__main__.py": MAIN.format(root=str(ROOT), python=sys.executable),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: diffill\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def without_server(home: Path) -> dict[str, str]:
    """An environment where no server can be found, but a Python can."""
    env = environment()
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "XDG_DATA_HOME", "UV_TOOL_DIR", "PIPX_HOME"):
        env.pop(name, None)
    node = env["PATH"].split(os.pathsep)[0]
    python = Path(sys.base_prefix) / "bin"
    return env | {"HOME": str(home), "PATH": f"{node}:{python}:/usr/bin:/bin"}


@pytest.fixture
def bare(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code where no server can be found, but a Python can."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    settings = {
        "diffill.server.package": str(wheel(tmp_path)),
        "diffill.server.args": ["--engine", f"scripted:{script}"],
    }
    yield from opened(tmp_path, [], settings, without_server(tmp_path / "home"))


PLACES = {
    "uv": ("home/.local/share/uv/tools/diffill/bin", "uv tool or pipx"),
    "pipx": ("home/.local/share/pipx/venvs/diffill/bin", "uv tool or pipx"),
    "PATH": ("bin", "PATH"),
}
"""Where a command `diffill` lies, below the test's folder, and how the log calls it."""


@pytest.fixture(params=PLACES)
def found(
    request: pytest.FixtureRequest, installed: None, tmp_path: Path
) -> Iterator[tuple[Workbench, str]]:
    """VS Code where no setting leads to a server, but one lies where people install it."""
    place, source = PLACES[request.param]
    command = tmp_path / place / "diffill"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable}\n{MAIN.format(root=str(ROOT), python=sys.executable)}")
    command.chmod(0o755)
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT))
    env = without_server(tmp_path / "home")
    if request.param == "PATH":
        # VSCODE_CLI: PATH is taken as it is, and not asked of a login shell.
        env |= {"PATH": f"{command.parent}:{env['PATH']}", "VSCODE_CLI": "1"}
    settings = {"diffill.server.args": ["--engine", f"scripted:{script}"]}
    for workbench in opened(tmp_path, [], settings, env):
        yield workbench, source


@pytest.fixture
def no_python(installed: None, tmp_path: Path) -> Iterator[Workbench]:
    """VS Code where neither a server nor a Python can be found."""
    env = without_server(tmp_path / "home")
    node = env["PATH"].split(os.pathsep)[0]
    (tmp_path / "bin").mkdir()
    for name in ("sh", "env", "cat", "uname", "dirname", "readlink", "ps"):
        if (found := shutil.which(name)) is not None:
            (tmp_path / "bin" / name).symlink_to(found)
    # VSCODE_CLI: PATH is taken as it is, and not asked of a login shell.
    env |= {"PATH": f"{node}:{tmp_path / 'bin'}", "VSCODE_CLI": "1"}
    yield from opened(tmp_path, [], {}, env)


def test_without_a_python_it_is_said_what_to_install(no_python: Workbench) -> None:
    (no_python.folder / "new.py").write_text("x = 1\n")
    no_python.do("open", name="new.py")
    no_python.do("notification", contains="No Diffill server was found on this machine")
    no_python.do("pressButton", label="Create Environment")
    no_python.do("notification", contains="no Python 3.11 or newer with the venv module was found")
    no_python.do("notification", contains="sudo apt install python3-venv")
    no_python.shot("no-python")
    no_python.do("status", contains="the server is not running")


def test_a_server_is_found_where_people_install_it(found: tuple[Workbench, str]) -> None:
    workbench, source = found
    (workbench.folder / "new.py").write_text("def add(a, b):\n    \n")
    workbench.do("open", name="new.py")
    workbench.do("status", contains="Diffill: model", ms=60_000)
    workbench.do("goto", line=2, column=5)
    workbench.do("type", text="return ")
    workbench.do("ghost", contains="a + b")
    logs = (workbench.home / "user").rglob("*Diffill*.log")
    assert any(f"(from {source})" in log.read_text() for log in logs)


def test_a_place_that_cannot_be_written_to_is_named(bare: Workbench) -> None:
    """A file in the way: who runs the tests as root may write anywhere else."""
    storage = bare.home / "user" / "User" / "globalStorage" / "diffill.diffill"
    storage.parent.mkdir(parents=True, exist_ok=True)
    assert not storage.exists()
    storage.write_text("in the way")
    (bare.folder / "new.py").write_text("x = 1\n")
    bare.do("open", name="new.py")
    bare.do("notification", contains="No Diffill server was found on this machine")
    bare.do("pressButton", label="Create Environment")
    bare.do("notification", contains=f"{storage} cannot be written to (EEXIST")
    bare.shot("no-folder")
    storage.unlink()
    bare.do("pressButton", label="Create Environment")
    bare.do("status", contains="Diffill: model", ms=60_000)


def test_an_environment_is_made_and_serves_and_outlives_one_that_cannot_be_made(
    bare: Workbench, tmp_path: Path
) -> None:
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

    missing = str(tmp_path / "no-such-0.1.0-py3-none-any.whl")
    bare.set(diffill__server__package=missing)
    bare.do("command", title="Diffill: Create an Environment for the Server")
    bare.do("notification", contains=f"diffill.server.package ({missing})", ms=60_000)
    bare.shot("no-package")
    storage = bare.home / "user" / "User" / "globalStorage" / "diffill.diffill"
    assert [path.name for path in storage.iterdir()] == ["server"]
    bare.do("command", title="Diffill: Restart Server")
    bare.do("status", contains="the server is starting")
    bare.do("status", contains="Diffill: model")
