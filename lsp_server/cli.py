"""The command line of the server: `python -m lsp_server [serve] [--stdio | --tcp] ...`.

Invariants: before anything else is imported that might print, fd 1 is pointed at fd 2 and
JSON-RPC is given a copy of the old one; the process ends within about a second of `exit`, also
when the inference thread is in the middle of something that cannot be interrupted, or stdin stays
open after the client.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import attrs

from diffusion.heap import share_one_heap
from diffusion.libraries import offline_and_quiet
from lsp_server import NAME, VERSION
from lsp_server.errors import STDIO_FIX, ServerError

if TYPE_CHECKING:
    from lsp_server.engine.worker import WorkerEngine
    from lsp_server.server import DiffillServer

_JOIN_S = 1.0
_INTERRUPTED = 130
_STREAMS = ("stdin", "stdout", "stderr")
_LEVELS = ("debug", "info", "warning", "error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    parser.add_argument("--stdio", action="store_true", help="talk over stdio (the default)")
    parser.add_argument("--tcp", action="store_true", help="listen on a loopback port instead")
    parser.add_argument("--host", help="loopback address for --tcp; 127.0.0.1 if none is given")
    parser.add_argument("--port", type=int, help="port for --tcp; a free one if it is 0 or none")
    parser.add_argument("--log-file", type=_path, help="write the log here too")
    parser.add_argument("--log-level", choices=_LEVELS, default="info")
    parser.add_argument("--check", action="store_true", help="check the installation and exit")
    # For tests: `scripted:FILE` answers from a script (lsp_server/engine/scripted.py).
    parser.add_argument("--engine", default="local", help=argparse.SUPPRESS)
    # Some clients pass it, and say the same in `initialize`; the server ends with that process.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)


def _path(text: str) -> Path:
    """With `~` written out: an editor's configuration goes through no shell."""
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        message = f"{text} cannot be looked for ({error}); write the path out"
        raise argparse.ArgumentTypeError(message) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; the exit code."""
    offline_and_quiet()
    parser = argparse.ArgumentParser(prog=f"{NAME} serve", description="Diffill language server")
    parser.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    add_arguments(parser)
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["serve"]:
        del words[0]
    options = parser.parse_args(words)
    if not options.tcp and (options.host, options.port) != (None, None):
        parser.error("--host and --port would do nothing without --tcp; give it, too")
    if options.check:
        return _check()
    try:
        return serve(options)
    except (ServerError, OSError) as error:
        print(f"{NAME}: {error}", file=sys.stderr)  # noqa: T201
        return 2


def serve(options: argparse.Namespace) -> int:
    """Serve one client with parsed options; the exit code.

    Raises ServerError or OSError when it cannot start.
    """
    share_one_heap()
    closed = open_closed()
    stdin, stdout = (None, None) if options.tcp else protect_stdio(closed)
    engine = _engine(options.engine)
    server = _build(engine, options)
    server.parents.add(options.clientProcessId)
    try:
        if options.tcp:
            server.start_tcp(options.host or "127.0.0.1", options.port or 0)
        else:
            server.start_io(stdin, stdout)
    except KeyboardInterrupt:  # Ctrl-C
        server.protocol.exit_code = _INTERRUPTED
    finally:
        server.session.close()
    code = server.protocol.exit_code
    if code is None:  # the client is gone without a word
        code = 0 if server.protocol.is_shut_down else 1
    if not engine.join(_JOIN_S) or server.is_reading or server.is_writing:
        # A model is being imported or loaded, stdin read or stdout written, which nothing can
        # interrupt. To end the interpreter around a running thread would crash inside native code,
        # or wait for it.
        logging.shutdown()
        os._exit(code)
    return code


def _build(engine: WorkerEngine, options: argparse.Namespace) -> DiffillServer:
    # Importing the protocol's types builds some hundred classes; the collector would walk them
    # again and again, which is a sixth of the time until `initialize` is answered.
    gc.disable()
    try:
        _import_types()
        from lsp_server.observe import log
        from lsp_server.server import create_server

        level = getattr(logging, options.log_level.upper())
        server = create_server(engine, log.set_up(level, options.log_file))
        gc.freeze()
    finally:
        gc.enable()
    return server


def _import_types() -> None:
    """Import the protocol's types without `__repr__`.

    To write and compile one for each of 550 classes is a fifth of the time until `initialize` is
    answered, and what it would show is the user's text.
    """
    define = attrs.define
    attrs.define = partial(define, repr=False)
    try:
        import lsprotocol.types  # noqa: F401
    finally:
        attrs.define = define


def open_closed() -> frozenset[str]:
    """Put /dev/null where a standard stream is closed, which the next file opened would take.

    Gives back which were.
    """
    closed = set()
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            closed.add(name)
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    return frozenset(closed)


def protect_stdio(closed: Collection[str] = ()) -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for JSON-RPC: give back copies, and put harmless files in their place.

    Whatever prints afterwards, native code included, prints to stderr. Raises ServerError where
    one of the two is `closed`.
    """
    for name in _STREAMS[:2]:
        if name in closed:
            raise ServerError(f"{name} is closed", fix=STDIO_FIX)
    sys.stdout.flush()
    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return stdin, stdout


def _engine(name: str) -> WorkerEngine:
    kind, _, argument = name.partition(":")
    if kind == "scripted" and argument:
        from lsp_server.engine.scripted import ScriptedEngine

        return ScriptedEngine.from_file(Path(argument))
    if name == "local":
        from lsp_server.engine.local import local_engine

        return local_engine()
    raise ServerError(f"--engine {name} is unknown", fix="leave it away")


def _check() -> int:
    from lsp_server.observe import doctor

    checks = doctor.run_checks()
    for check in checks:
        print(check, file=sys.stderr)  # noqa: T201
    return 1 if any(check.failed for check in checks) else 0
