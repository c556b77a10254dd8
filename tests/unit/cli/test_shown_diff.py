"""A diff on a terminal: coloured, and with the tabs of the file. In a pipe: what `patch` takes."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from diffusion.shown_diff import show_diff

if sys.platform == "win32":
    pytest.skip("there are no pseudo-terminals", allow_module_level=True)


def test_a_terminal_gets_colours_tabs_and_no_control_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    reader, writer = os.openpty()
    with os.fdopen(reader, "rb", buffering=0) as screen, os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        long = b"\tx[red]\x1b = " + b"1" * 300
        show_diff(Console(width=40), long + b"1\r\n", long + b"2", "a.go", "filled")
        terminal.flush()
        shown = b""
        while b"newline" not in shown:
            shown += screen.read(10_000)
    clean = long.replace(b"\x1b", "\ufffd".encode())
    assert b"\x1b[31m-" + clean + b"1" in shown
    assert b"\x1b[32m+" + clean + b"2" in shown


ODD_NAMES = [
    "a b.py", " a.py ", "a\tb.py", "a\nb.py", 'a"b\\c.py', "\x1b\x7f.py", "\udcff.py", "\u00e9.py",
]  # fmt: skip
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere few such names can be")


def piped(monkeypatch: pytest.MonkeyPatch, name: str, *made: bytes) -> bytes:
    """What a pipe gets of changes to a file that holds b"1\\n2"."""
    pipe = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", pipe)
    for number, text in enumerate(made):
        print(f"{number + 1}. parses")
        show_diff(Console(), b"1\n2", text, name, "filled", other=number > 0)
    monkeypatch.undo()
    return pipe.buffer.getvalue()


@on_linux
@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
@pytest.mark.parametrize("name", ["program.py", *ODD_NAMES])
def test_patch_makes_the_first_change_and_to_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in (name, "filled", "rewritten", "a", "b"):
        (tmp_path / other).write_bytes(b"1\n2")
    diff = piped(monkeypatch, name, b"1\n3", b"1\n4", b"5\n2")
    subprocess.run(["patch", "--batch"], input=diff, cwd=tmp_path, check=True, timeout=10)
    assert (tmp_path / name).read_bytes() == b"1\n3"
    assert len([*tmp_path.iterdir()]) == 5, "no hunk was refused"
    for other in ("filled", "rewritten", "a", "b"):
        assert (tmp_path / other).read_bytes() == b"1\n2"
    assert b"+4" in diff and b"+5" in diff


@on_linux
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_git_reads_the_names_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).write_bytes(b"1\n2")
    diff = piped(monkeypatch, name, b"1\n3", b"1\n4")
    words = ["git", "apply", "-p0", "--unidiff-zero"]
    subprocess.run(words, input=diff, cwd=tmp_path, check=True, timeout=10)
    assert (tmp_path / name).read_bytes() == b"1\n3"


def test_a_closed_stdout_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console()
    monkeypatch.setattr(sys, "stdout", None)
    show_diff(console, b"1", b"2", "a.py", "filled")
