"""P10: no source text in the log, unless the user wants it."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from diffusion.errors import DiffillError
from lsp_server.observe.log import LogControl, RedactingFormatter, set_up

SECRET = "api_key = 'hunter2'"


def formatted(
    name: str, message: str, *args: object, error: Exception | None = None, log_code: bool = False
) -> str:
    formatter = RedactingFormatter()
    LogControl(formatter).log_code(log_code)
    info = None
    if error is not None:
        try:
            raise error
        except type(error):
            info = sys.exc_info()
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, info)
    return formatter.format(record)


@pytest.mark.parametrize(
    ("name", "message", "args"),
    [
        ("pygls.protocol.json_rpc", "Failed to handle notification %r: %s", ("m", SECRET)),
        ("pygls.protocol.json_rpc", "Unable to deserialize message\n" + SECRET, ()),
        ("asyncio", "Task exception was never retrieved\nfuture: <Task " + SECRET + ">", ()),
        ("asyncio", "x" * 80 + SECRET, ()),
    ],
)
def test_records_of_others_lose_what_they_quote(
    name: str, message: str, args: tuple[str, ...]
) -> None:
    assert "hunter2" not in formatted(name, message, *args)
    assert "hunter2" in formatted(name, message, *args, log_code=True)


@pytest.mark.parametrize("name", ["pygls", "lsp_server.completion.pipeline"])
def test_exceptions_lose_their_text_and_keep_kind_and_place(name: str) -> None:
    text = formatted(name, "failed", error=ValueError(SECRET))
    assert "hunter2" not in text
    assert "ValueError" in text and "test_log.py" in text
    assert "hunter2" in formatted(name, "failed", error=ValueError(SECRET), log_code=True)


def test_our_own_errors_keep_their_text() -> None:
    error = DiffillError("model.safetensors is truncated", fix="copy it again")
    assert "is truncated; copy it again" in formatted("lsp_server", "failed", error=error)
    assert "5 of 8 KB" in formatted("lsp_server.session", "%d of %d KB", 5, 8)


def test_the_log_goes_to_stderr_and_the_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root, pygls = logging.getLogger(), logging.getLogger("pygls")
    handlers, levels = list(root.handlers), (root.level, pygls.level)
    path = tmp_path / "logs" / "diffill.log"
    try:
        set_up(logging.DEBUG, path)
        logging.getLogger("lsp_server.session").info("hello \ud83d")
        assert logging.getLogger("pygls.protocol").getEffectiveLevel() == logging.WARNING
    finally:
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            handler.close()
        root.setLevel(levels[0])
        pygls.setLevel(levels[1])
    out, err = capfd.readouterr()
    assert out == ""
    assert "hello" in path.read_text() and "hello" in err
