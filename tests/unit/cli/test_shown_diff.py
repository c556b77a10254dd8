"""A diff on a terminal: coloured, and with the tabs of the file."""

from __future__ import annotations

import os
import sys

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
