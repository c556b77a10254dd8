"""Every Python file says what its job is, and stays small enough to be read."""

from __future__ import annotations

import ast

from tests.repo.tracked import ROOT, python_files

MAX_LINES = 400
REFUSED_NAMES = {"utils", "util", "common", "helpers", "misc", "manager"}


def test_every_module_has_a_docstring() -> None:
    missing = [
        str(path)
        for path in python_files()
        if not (ast.get_docstring(ast.parse((ROOT / path).read_bytes())) or "").strip()
    ]
    assert not missing, f"say in a module docstring what these are for: {missing}"


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(p): (ROOT / p).read_bytes().count(b"\n") for p in python_files()}
    long = {path: lines for path, lines in lengths.items() if lines > MAX_LINES}
    assert not long, f"one file, one concept; split these: {long}"


def test_no_file_is_named_after_nothing() -> None:
    vague = [str(path) for path in python_files() if path.stem in REFUSED_NAMES]
    assert not vague, f"name these after their concept: {vague}"
