"""The command line: what it refuses, before a server runs."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server import VERSION
from lsp_server.cli import main
from lsp_server.server import is_loopback


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, pygls = logging.getLogger(), logging.getLogger("pygls")
    handlers, levels = list(root.handlers), (root.level, pygls.level)
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(levels[0])
    pygls.setLevel(levels[1])
    gc.unfreeze()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["serve", "--host", "0.0.0.0"], "--host 0.0.0.0 is no loopback address; use 127"),
        (["--host", "nosuch.invalid"], "nosuch.invalid is no loopback address; use 127.0.0.1 or"),
        (["--port", "99999"], "--port 99999 is no port; give 0 to 65535"),
        (["--port", "-1"], "--port -1 is no port; give 0 to 65535"),
        (["--engine", "telepathy"], "--engine telepathy is unknown"),
        (["--engine", "scripted:/nowhere/none.json"], "/nowhere/none.json is no script"),
    ],
)
def test_refusals(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*options, "--tcp"]) == 2
    captured = capsys.readouterr()
    assert says in captured.err and captured.out == ""
    assert gc.isenabled()


@pytest.mark.parametrize("option", [("--port", "4000"), ("--port", "0"), ("--host", "127.0.0.1")])
def test_a_port_without_tcp_is_refused(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--engine", "scripted:/nowhere/none.json", *option])
    captured = capsys.readouterr()
    assert ended.value.code == 2 and captured.out == ""
    assert "--host and --port would do nothing without --tcp" in captured.err


def test_a_log_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--tcp", "--log-file", str(tmp_path)]) == 2
    said = f"diffill: --log-file {tmp_path} cannot be written (Is a directory); name a file"
    assert said in capsys.readouterr().err


def test_a_log_file_below_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An editor's configuration goes through no shell that would write `~` out."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["--tcp", "--host", "0.0.0.0", "--log-file", "~/logs/a.log"]) == 2
    log = tmp_path / "home" / "logs" / "a.log"
    assert log.is_file() and not (tmp_path / "~").exists()
    assert f"there was no folder for --log-file {log}; it was made" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--tcp", "--log-file", "~nobody-of-that-name/a.log"])
    assert ended.value.code == 2
    assert "~nobody-of-that-name/a.log cannot be looked for" in capsys.readouterr().err


def test_the_types_of_the_protocol_are_imported_without_representations() -> None:
    """In a process of its own: the representation of a document would show its text."""
    program = (
        "import attrs; from lsp_server import cli; before = attrs.define; cli._import_types()\n"
        "from lsprotocol.types import Position, TextDocumentItem\n"
        "assert attrs.define is before and Position(1, 2) == Position(1, 2)\n"
        "print(TextDocumentItem('file:///a', 'python', 1, 'secret'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("<lsprotocol.types.TextDocumentItem object")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"diffill {VERSION}\n"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
