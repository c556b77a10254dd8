"""A real Emacs with the configurations of editors/others, a scripted server, a saved file."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.lsp_process import ROOT, command, script

pytestmark = pytest.mark.editor
CONFIGURATIONS = ROOT / "editors" / "others"
PACKAGES = Path("/usr/share/emacs/site-lisp/elpa-src")


def test_eglot_is_told_of_a_mode_of_each_language() -> None:
    modes = (CONFIGURATIONS / "diffill-eglot.el").read_text().split("diffill-eglot-modes")[1]
    names = ["python", "js", "typescript", "tsx", "go", "rust", "java", "c", "c++"]
    assert {f"{name}-ts-mode" for name in names} <= set(modes.replace(")", " ").split())


@pytest.mark.parametrize(("client", "package"), [("eglot", "eglot"), ("lsp-mode", "lsp-mode")])
def test_emacs_completes_from_the_server(tmp_path: Path, client: str, package: str) -> None:
    emacs = shutil.which("emacs")
    if emacs is None:
        pytest.skip("no Emacs: apt-get install emacs-nox elpa-eglot elpa-lsp-mode")
    if not any(PACKAGES.glob(f"{package}-*")):
        pytest.skip(f"no {package} for Emacs: apt-get install elpa-{package}")
    candidates = [{"text": "left + right"}, {"text": "left - right"}]
    engine = script(tmp_path, {"before": "return ", "candidates": candidates})
    path = tmp_path / "a.py"
    path.write_text("# é漢😀\ndef add(left, right):\n    return \n")
    env = {
        **os.environ,
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "DIFFILL_FILE": str(path),
        "DIFFILL_AFTER": "return ",
        "DIFFILL_COMMAND": "\n".join(command("serve", "--engine", engine)),
    }
    here = Path(__file__).parent / f"try-{client}.el"
    ran = subprocess.run(
        [emacs, "--batch", "-Q", "-L", str(CONFIGURATIONS), "-l", str(here)],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "candidate: left + right" in ran.stderr, ran.stderr
    assert path.read_text() == "# é漢😀\ndef add(left, right):\n    return left + right\n"
