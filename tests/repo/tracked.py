"""The files of the repository: what git tracks and what exists."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = ("diffusion", "lsp_server", "tests", "benchmarks")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every tracked file that exists, relative to the root. Skips outside a git checkout."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"not a git checkout: {error}")
    paths = (Path(name.decode()) for name in listing.split(b"\0") if name)
    return tuple(path for path in paths if (ROOT / path).is_file())


def python_files() -> list[Path]:
    """The tracked Python files of the packages, tests and benchmarks."""
    return [p for p in tracked_files() if p.suffix == ".py" and p.parts[0] in CODE]


def text_files() -> list[tuple[Path, str]]:
    """Tracked files that are text, with their content."""
    found = []
    for path in tracked_files():
        data = (ROOT / path).read_bytes()
        if b"\0" in data[:8192]:
            continue
        try:
            found.append((path, data.decode("utf-8")))
        except UnicodeDecodeError:
            continue
    return found
