"""Builds the server: a pygls server with our protocol, a session, and the features wired in.

Invariants: building one imports no torch; TCP listens on loopback only and serves one client
(`tcp`); the server ends with its client (`parents`), also with one that does not read (`stdout`);
no error of the server is shown in a pop-up or can end in another error.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sys
from threading import Event
from typing import Any, BinaryIO

from lsprotocol import types
from pygls.io_ import StdinAsyncReader
from pygls.lsp.server import LanguageServer

from lsp_server import NAME, VERSION
from lsp_server.engine.engine import Engine
from lsp_server.errors import STDIO_FIX, AddressError, FrameError
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
from lsp_server.frames import Reader, read_body
from lsp_server.observe.log import LogControl
from lsp_server.parents import Parents
from lsp_server.protocol import DiffillProtocol
from lsp_server.session import Session
from lsp_server.stdout import PatientWriter
from lsp_server.tcp import initialize_body

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
UNREADABLE = 2
"""The exit code after a stream that cannot be read."""
LAST_WORDS_S = 1.0
"""How long a client may take to read what it was told before the end."""


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
        self.parents = Parents()
        self.choosing = asyncio.Lock()
        """Adapters are selected and deleted in the order of the requests."""
        self.is_reading = False
        """Whether a thread waits for stdin, which nothing can interrupt."""
        self.is_writing = False
        """Whether one waits for the client to read, just so."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log, and nothing else: telling the client means writing, which may be what failed."""
        underway = sys.exc_info()[0] is not None
        logger.error("%s", getattr(source, "__name__", source), exc_info=underway or error)

    def stop(self) -> None:
        """Leave the message loop after the message at hand."""
        if self._stop_event is not None:
            self._stop_event.set()

    async def serve(self, reader: Reader) -> None:
        """Handle messages until `exit`, the end of the stream, or what cannot be read."""
        assert self._stop_event is not None
        try:
            while not self._stop_event.is_set():
                body = await read_body(reader)
                if body is None:
                    return
                self.protocol.handle_body(body)
        except FrameError as error:
            logger.error("the server ends, as it cannot read on: %s", error)
            self.protocol.exit_code = UNREADABLE

    def start_io(self, stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> None:
        """Serve the client at the other end of two pipes."""
        self._stop_event = Event()
        reader = StdinAsyncReader(stdin or sys.stdin.buffer, self.thread_pool)
        writer = PatientWriter(stdout or sys.stdout.buffer)
        self.protocol.set_writer(writer)
        self.is_writing = True
        try:
            asyncio.run(self._serve_io(reader, writer))
            writer.close()
            self.is_writing = not writer.has_ended(LAST_WORDS_S)
        finally:
            self.thread_pool.shutdown(wait=False)

    async def _serve_io(self, reader: Reader, writer: PatientWriter) -> None:
        async def read() -> None:
            self.is_reading = True
            await self.serve(reader)
            self.is_reading = False

        broken, reading = asyncio.create_task(writer.broken()), asyncio.create_task(read())
        await self._first_of(broken, reading)
        if reading.done():
            await reading  # raises what ended it
            if self.protocol.exit_code is None and self.protocol._workspace is None:
                logger.warning("stdin ended before `initialize`; %s", STDIO_FIX)
        elif broken.done():
            logger.warning("the client closed its end; stopping")

    async def _first_of(self, *ends: asyncio.Task[Any]) -> None:
        """Wait for one of these, or for the end of a process for whose sake this one runs."""
        orphaned = asyncio.create_task(self.parents.gone())
        await asyncio.wait((*ends, orphaned), return_when=asyncio.FIRST_COMPLETED)
        if any(end.done() for end in ends):
            return
        logger.warning("process %d, the client, is gone; stopping", orphaned.result())
        self.protocol.exit_code = 0 if self.protocol.is_shut_down else 1

    def start_tcp(self, host: str, port: int) -> None:
        """Serve one client on a loopback address; port 0 takes a free one and says which.

        Raises AddressError for any other address, as there is no authentication, and for a number
        that is no port.
        """
        if not is_loopback(host):
            raise AddressError(
                f"--host {host} is no loopback address", fix="use 127.0.0.1 or ::1"
            )
        if not 0 <= port <= MOST_PORT:
            raise AddressError(f"--port {port} is no port", fix=f"give 0 to {MOST_PORT}")
        asyncio.run(self._serve_tcp(host, port))

    async def _serve_tcp(self, host: str, port: int) -> None:
        self._stop_event = Event()
        ended = asyncio.Event()
        open_ones: set[asyncio.StreamWriter] = set()
        taken = False

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal taken
            open_ones.add(writer)
            try:
                first = None if taken else await initialize_body(reader, writer)
                if taken:
                    logger.warning("a second client was turned away")
                elif first is not None:
                    taken = True
                    await client(first, reader, writer)
            except asyncio.CancelledError:
                pass  # the server ends; Python 3.11 would log it as an error
            finally:
                open_ones.discard(writer)
                writer.close()

        async def client(
            first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            self.protocol.set_writer(writer)
            self.protocol.handle_body(first)
            try:
                await self.serve(reader)
            except ConnectionError:
                logger.warning("the client is gone")
            finally:
                ended.set()

        listener = await asyncio.start_server(connected, host, port)
        address, bound, *_ = listener.sockets[0].getsockname()
        # Whoever let a free port be chosen reads it here, whatever else is logged.
        print(f"listening on {address}:{bound}", file=sys.stderr, flush=True)  # noqa: T201
        try:
            await self._first_of(asyncio.create_task(ended.wait()))
        finally:  # from Python 3.12 on, to leave `async with listener` waits for every connection
            listener.close()
            for writer in open_ones:
                writer.transport.abort()


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
