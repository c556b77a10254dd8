"""The packaged extension, and one VS Code with a scripted server for the tests of this folder.

Nothing is installed here: `make test-editors` runs install.sh first. What is missing is said when
a test is skipped.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.editors.vscode.workbench import BASE, NODE, ROOT, VSIX, Workbench, environment

PACKAGE_LIMIT_S = 180


SCRIPT = {
    "answers": [
        {
            "before": "return ",
            "candidates": [
                {"text": "a + b", "tokens": [["a", 0.97], [" +", 0.62], [" b", 0.31]]},
                {"text": "sum((a, b))"},
                {"text": "b + a"},
            ],
        },
        {
            "before": "super().",
            "candidates": [
                {"text": "__init__(*a, *b)", "tokens": [["__init__", 0.9], ["(*a, *b)", 0.3]]}
            ],
        },
        {"before": "print(", "after": ")", "candidates": [{"text": "total, count"}]},
        {
            "before": "def sum_all(items):\n    ",
            "candidates": [
                {
                    "text": "total = 0\n    for item in items:\n        total += item\n"
                    "    return total"
                }
            ],
        },
        {"before": "value = ", "candidates": [{"text": "alpha(beta, gamma)"}]},
        {
            "before": "y = ",
            "candidates": [{"text": "x + x"}, {"text": "2 * x"}, {"text": "x << 1"}],
        },
        {"before": "cold = ", "candidates": [{"text": "warm()", "score": 0.02}]},
        {"before": "typed", "candidates": [{"text": "_here = 1"}]},
    ]
}


@pytest.fixture(scope="session")
def node() -> Path:
    """The node that the editor runs on, and the extension's own tests; skips without it."""
    program = NODE / "bin" / "node"
    if not program.is_file():
        pytest.skip("no node 24: run `make test-editors`")
    return program


@pytest.fixture(scope="session")
def programs() -> None:
    """Skips where the editor is not installed."""
    said = BASE / "unavailable.txt"
    if not list(BASE.glob(".installed-*")) or said.is_file():
        reason = said.read_text().strip() if said.is_file() else "run `make test-editors`"
        pytest.skip(f"no VS Code to drive: {reason}")


@pytest.fixture(scope="session")
def installed(programs: None) -> None:
    """The extension as a package, which a workbench installs."""
    done = subprocess.run(
        ["npm", "run", "package"],
        check=False,
        cwd=ROOT / "editors" / "vscode",
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PACKAGE_LIMIT_S,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert VSIX.is_file()


@pytest.fixture(scope="module")
def scripted(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """VS Code on a folder, with a server that answers from `SCRIPT`."""
    home = tmp_path_factory.mktemp("vscode")
    script = home / "script.json"
    script.write_text(json.dumps(SCRIPT))
    yield from opened(home, ["--engine", f"scripted:{script}"])


def opened(
    home: Path,
    arguments: list[str],
    settings: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
) -> Iterator[Workbench]:
    """A workbench on an empty folder; closed afterwards."""
    folder = home / "project"
    folder.mkdir()
    own = {"diffill.server.interpreter": sys.executable, "diffill.server.args": arguments}
    workbench = Workbench(folder, home, own if settings is None else settings, env)
    try:
        yield workbench
    finally:
        workbench.close()
