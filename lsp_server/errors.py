"""The error tree of the `lsp_server` package.

Errors here are for what a person must fix: a flag, a script file, an address. Unusual text and
a missing model are no errors to the server: they end as a `Reason` in the trace.
"""

from __future__ import annotations

STDIO_FIX = "start the server from an editor, which talks to it over stdin and stdout"


class ServerError(Exception):
    """Root of every error `lsp_server` raises on purpose.

    Args:
        message: what is wrong, naming the thing.
        fix: what to do about it; appended to the message when given.
    """

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message if fix is None else f"{message}; {fix}")
        self.fix = fix


class AddressError(ServerError):
    """The server was asked to listen on something that is not this machine's loopback."""


class FrameError(ServerError):
    """What came is no message of the protocol, and where the next one begins is not known."""


class ScriptError(ServerError):
    """A script of the scripted engine cannot be read."""


class EngineUnavailable(ServerError):
    """The engine cannot answer: its model did not load, or it was closed."""


class DeviceFailed(ServerError):
    """The GPU that a model runs on does not work any more."""


class TrainingUnavailable(ServerError):
    """Training cannot be started, planned or steered."""
