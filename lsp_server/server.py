"""Builds the server: a pygls server with our protocol, a session, and the features wired in.

Invariants: building one imports no torch; TCP listens on loopback only and serves one client;
no error of the server is shown in a pop-up or can end in another error.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
from threading import Event
from typing import Any

from lsprotocol import types
from pygls.io_ import run_async
from pygls.lsp.server import LanguageServer

from lsp_server import NAME, VERSION
from lsp_server.engine.engine import Engine
from lsp_server.errors import AddressError
from lsp_server.features import (
    alternatives,
    code_action,
    completion,
    confidence,
    configuration,
    explain,
    fill,
    folders,
    hover,
    inline_completion,
    lifecycle,
    model,
    notebooks,
    pause,
    rewrite,
    score,
    scripted_control,
    status,
    suspicious,
    text_sync,
    train,
)
from lsp_server.observe.log import LogControl
from lsp_server.protocol import DiffillProtocol
from lsp_server.session import Session

logger = logging.getLogger(__name__)

FEATURES = (
    lifecycle,
    configuration,
    folders,
    text_sync,
    notebooks,
    inline_completion,
    completion,
    rewrite,
    fill,
    alternatives,
    code_action,
    status,
    pause,
    explain,
    confidence,
    score,
    hover,
    suspicious,
    train,
    model,
    scripted_control,
)

# pygls reads stdin on a thread of this pool, so it must never be full. Nothing else runs there:
# inference has a thread of its own.
POOL_THREADS = 4
MOST_PORT = 65535


class DiffillServer(LanguageServer):
    """The server of one client."""

    protocol: DiffillProtocol
    training: train.Training

    def __init__(self, session: Session) -> None:
        super().__init__(
            NAME,
            VERSION,
            text_document_sync_kind=types.TextDocumentSyncKind.Incremental,
            notebook_document_sync=notebooks.sync_options(),
            protocol_cls=DiffillProtocol,
            max_workers=POOL_THREADS,
        )
        self.session = session

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log, and nothing else: telling the client means writing, which may be what failed."""
        underway = sys.exc_info()[0] is not None
        logger.error("%s", getattr(source, "__name__", source), exc_info=underway or error)

    def stop(self) -> None:
        """Leave the message loop after the message at hand."""
        if self._stop_event is not None:
            self._stop_event.set()

    def start_tcp(self, host: str, port: int) -> None:
        """Serve one client on a loopback address; port 0 takes a free one and logs it.

        Raises AddressError for any other address, as there is no authentication, and for a number
        that is no port.
        """
        if not is_loopback(host):
            raise AddressError(
                f"--host {host} is reachable from other machines", fix="use 127.0.0.1 or ::1"
            )
        if not 0 <= port <= MOST_PORT:
            raise AddressError(f"--port {port} is no port", fix=f"give 0 to {MOST_PORT}")
        asyncio.run(self._serve_tcp(host, port))

    async def _serve_tcp(self, host: str, port: int) -> None:
        self._stop_event = stop = Event()
        ended = asyncio.Event()
        taken = False

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            if taken:
                logger.warning("a second client was turned away")
                writer.close()
                return
            taken = True
            self.protocol.set_writer(writer)
            try:
                await run_async(stop, reader, self.protocol, logger, self.report_server_error)
            except (ConnectionError, asyncio.IncompleteReadError):
                logger.warning("the client is gone")
            finally:
                writer.close()
                ended.set()

        listener = await asyncio.start_server(serve, host, port)
        async with listener:
            address, bound, *_ = listener.sockets[0].getsockname()
            logger.warning("listening on %s:%d", address, bound)
            await ended.wait()


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def create_server(engine: Engine, log: LogControl | None = None) -> DiffillServer:
    """A server around an engine, ready for `start_io` or `start_tcp`."""
    server = DiffillServer(Session(engine, log or LogControl()))
    for feature in FEATURES:
        feature.register(server)
    return server
