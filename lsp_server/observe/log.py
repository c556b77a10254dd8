"""Logging to stderr and a file, with source text kept out.

Own records hold no source text by rule. Records of other packages may (pygls puts whole
payloads into its messages, exceptions quote values), so of those only the template and the kind
of exception are kept, unless `privacy.logCode` is on. Invariant: nothing is written to stdout.
"""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from diffusion.errors import DiffillError
from lsp_server.errors import ServerError

logger = logging.getLogger(__name__)

_OWN = ("lsp_server", "diffusion")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RedactingFormatter(logging.Formatter):
    """Formats records without source text while `log_code` is False."""

    def __init__(self) -> None:
        super().__init__(_FORMAT)
        self.log_code = False

    def format(self, record: logging.LogRecord) -> str:
        if self.log_code or record.name.partition(".")[0] in _OWN:
            return super().format(record)
        copy = logging.makeLogRecord(record.__dict__)
        copy.msg, copy.args = str(record.msg).partition("\n")[0], ()
        if not record.args and len(copy.msg) > 80:
            copy.msg = copy.msg[:80] + "…"
        return super().format(copy)

    def formatException(self, ei: Any) -> str:
        if self.log_code:
            return super().formatException(ei)
        kind, error, trace = ei
        known = isinstance(error, (DiffillError, ServerError, ImportError))
        message = f": {error}" if known else ""
        frames = [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(trace)
        ]
        return "\n".join([*frames, f"{kind.__name__}{message}"])


class LogControl:
    """The switch for `privacy.logCode`."""

    def __init__(self, formatter: RedactingFormatter | None = None) -> None:
        self._formatter = formatter or RedactingFormatter()

    def log_code(self, on: bool) -> None:
        self._formatter.log_code = on


def set_up(level: int = logging.INFO, file: Path | None = None) -> LogControl:
    """Send records to stderr, and to a file if given. Called once, by the command line.

    A folder that is missing is made, and that is logged: the Neovim plugin names a file in Neovim's
    own, which need not be there yet. Raises ServerError when the file cannot be opened.
    """
    formatter = RedactingFormatter()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    made = file is not None and not file.parent.exists()
    if file is not None:
        handlers.append(_opened(file))
    root = logging.getLogger()
    root.setLevel(level)
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)
    if made:
        logger.warning("there was no folder for --log-file %s; it was made", file)
    # At INFO pygls logs every payload.
    logging.getLogger("pygls").setLevel(max(level, logging.WARNING))
    return LogControl(formatter)


def _opened(file: Path) -> logging.Handler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise ServerError(
            f"--log-file {file} cannot be written ({error.strerror or error})",
            fix="name a file that you may write",
        ) from error
