"""Who may be the client of a server that listens on a port: the first that says `initialize`.

Whatever runs on this machine can connect, a port scan and a web page among it. Invariants: until a
connection has said `initialize`, in a message of the protocol, it is not the client: it cannot end
the server, and leaves the place to another; an HTTP request is refused (`frames`).
"""

from __future__ import annotations

import asyncio
import json
import logging

from lsp_server.errors import FrameError
from lsp_server.frames import read_body
from lsp_server.lenient import INITIALIZE, fault

logger = logging.getLogger(__name__)
_NOT_INITIALIZED = -32002
_HEADER = (
    b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n"
)


async def initialize_body(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes | None:
    """The message with which a connection becomes the client; None where it does not.

    Other requests before it are answered with ServerNotInitialized.
    """
    try:
        while (body := await read_body(reader)) is not None:
            method, msg_id = _method_and_id(body)
            if method == INITIALIZE:
                return body
            if method == "exit":
                break
            if msg_id is not None:
                writer.write(_refusal(msg_id))
    except FrameError as error:
        logger.warning("a connection was refused: %s", error)
    except ConnectionError:
        logger.info("a connection broke off before it was the client's")
    return None


def _method_and_id(body: bytes) -> tuple[str | None, int | str | None]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None, None
    if fault(data) is not None or "method" not in data:
        return None, None
    return data["method"], data.get("id")


def _refusal(msg_id: int | str) -> bytes:
    error = {"code": _NOT_INITIALIZED, "message": "send `initialize` first"}
    body = json.dumps({"jsonrpc": "2.0", "id": msg_id, "error": error}).encode()
    return _HEADER % len(body) + body
