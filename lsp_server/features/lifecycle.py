"""`initialize`, `initialized`, `shutdown`.

Invariant: `initialize` only reads what the client sent; nothing is loaded or asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server.features import completion, configuration, folders, hover, status, train

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


def initialize(ls: DiffillServer, params: types.InitializeParams) -> None:
    session = ls.session
    session.encoding = str(ls.workspace.position_encoding or "utf-16")
    folders.take(ls, params)
    session.configure(params.initialization_options, initial=True)
    completion.announce_if_wanted(ls)
    hover.announce_unless_later(ls)


def initialized(ls: DiffillServer, params: types.InitializedParams) -> Generator[Any, Any, None]:
    """A generator, so that the engine is watched before the next message can start it."""
    status.watch(ls)
    train.watch(ls)
    completion.watch(ls)
    hover.watch(ls)
    configuration.tell_problems(ls, ls.session.problems)
    yield _ask, (ls,), {}


async def _ask(ls: DiffillServer) -> None:
    """Ask the client for what only it knows; no question waits for the answer to another."""
    await asyncio.gather(configuration.subscribe(ls), folders.watch(ls), _pull(ls))


async def _pull(ls: DiffillServer) -> None:
    await configuration.pull(ls)
    await train.go_on(ls)  # the settings say whether


def shutdown(ls: DiffillServer, params: None) -> None:
    train.close(ls)
    ls.session.close()


def register(server: DiffillServer) -> None:
    server.feature(types.INITIALIZE)(initialize)
    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.SHUTDOWN)(shutdown)
