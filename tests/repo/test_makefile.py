"""`make PYTHON=...` takes the Python that it names, or says what is in its way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")

PYTHON = r"""#!/bin/sh
case "$*" in
  *"import sys; print("*) echo {version};;
  "-m venv "*) [ "$4" != --clear ] || rm -rf "$3"
    mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" && cp "$0" "$3/bin/python"
    printf '#!/bin/sh\necho the demo runs\n' > "$3/bin/diffill" && chmod +x "$3/bin/diffill";;
  *"pip "*) [ ! -e no-network ];;
esac
"""
"""A Python as far as the Makefile can tell: its version, its environments, and pip in them."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for version in ("3.11", "3.12"):
        stub = tmp_path / f"python{version}"
        stub.write_text(PYTHON.format(version=version))
        stub.chmod(0o755)
    return tmp_path


def make(checkout: Path, version: str) -> tuple[int, str]:
    done = subprocess.run(
        ["make", "demo", f"PYTHON=./python{version}"], cwd=checkout, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout


def of(checkout: Path) -> str:
    """The version of the environment."""
    return (checkout / ".venv" / "bin" / "python").read_text().partition("echo ")[2][:4]


def test_a_python_is_not_passed_over_for_the_one_that_is_installed_into(checkout: Path) -> None:
    assert make(checkout, "3.11")[0] == 0
    code, said = make(checkout, "3.12")
    assert code == 2 and ".venv was made with Python 3.11, not 3.12; run `make distclean`" in said
    assert "the demo runs" not in said and of(checkout) == "3.11"
    code, said = make(checkout, "3.11")
    assert code == 0 and "the demo runs" in said and "Installing" not in said, "nothing to do again"


def test_after_a_failed_install_another_python_gets_its_own_environment(checkout: Path) -> None:
    (checkout / "no-network").touch()
    assert make(checkout, "3.11")[0] == 2 and of(checkout) == "3.11"
    (checkout / "no-network").unlink()
    code, said = make(checkout, "3.12")
    assert code == 0 and "the demo runs" in said and of(checkout) == "3.12"


def test_a_folder_that_is_no_environment_is_not_cleared(checkout: Path) -> None:
    (checkout / "no-network").touch()
    make(checkout, "3.11")
    (checkout / ".venv" / "pyvenv.cfg").unlink()
    assert make(checkout, "3.12")[0] == 2 and of(checkout) == "3.11"


def test_a_python_that_does_not_run_is_named(checkout: Path) -> None:
    code, said = make(checkout, "3.99")
    assert code == 2 and "error: no './python3.99' on PATH" in said
    make(checkout, "3.11")
    code, said = make(checkout, "3.99")
    assert code == 2 and "'./python3.99' does not run; name another, or none" in said
