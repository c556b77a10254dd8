"""Settings: initialization options, `workspace/configuration`, `didChangeConfiguration`.

A client that can be asked is asked (pull); what one pushes is used when it says something of ours.
Bad keys are shown to the user once, with their path.

Invariants: of several questions under way only the answer to the newest counts, and the others are
forgotten; what a client pushes of other servers' settings is never taken for ours.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.features import asking, suspicious
from lsp_server.settings import SECTION, Problem, describe

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
_KEYS = frozenset(path.split(".")[1] for path, _, _ in describe())
"""The keys of our section, without those below them."""


async def subscribe(ls: DiffillServer) -> None:
    """Ask a client that can to tell of changed settings."""
    workspace = ls.client_capabilities.workspace
    dynamic = workspace and workspace.did_change_configuration
    if not (dynamic and dynamic.dynamic_registration):
        return
    registration = types.Registration(
        id="diffill-configuration",
        method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
        register_options=types.DidChangeConfigurationRegistrationOptions(section=SECTION),
    )
    try:
        await ls.client_register_capability_async(types.RegistrationParams([registration]))
    except JsonRpcException as error:
        logger.warning("the client did not register didChangeConfiguration: %s", error.code)


async def pull(ls: DiffillServer) -> None:
    """Fetch the settings from a client that can be asked; done when the newest ones are there."""
    workspace, session = ls.client_capabilities.workspace, ls.session
    if not (workspace and workspace.configuration):
        return
    older, session.pulling = session.pulling, asyncio.ensure_future(_pulled(ls))
    if older is not None:
        older.cancel()
    newest = None
    while newest is not session.pulling:  # another one may begin meanwhile
        newest = session.pulling
        await asyncio.wait([newest])
    if not newest.cancelled():
        newest.result()


async def _pulled(ls: DiffillServer) -> None:
    asked = types.ConfigurationParams([types.ConfigurationItem(section=SECTION)])
    try:
        answer = await asking.ask(ls, types.WORKSPACE_CONFIGURATION, asked)
    except JsonRpcException as error:
        logger.warning("the client did not send its settings: %s", error.code)
        return
    if isinstance(answer, Mapping):  # not the list that is due, but what would be in it
        answer = [answer]
    if not isinstance(answer, list):
        if answer is not None:
            logger.warning("the client's settings came as %s, not a list", type(answer).__name__)
    elif answer:
        _take(ls, answer[0])


def did_change_configuration(
    ls: DiffillServer, params: types.DidChangeConfigurationParams
) -> Generator[Any, Any, None]:
    """A generator, so that pushed settings hold for the very next message."""
    if params.settings and says_something(params.settings):
        _take(ls, params.settings)
    else:
        if params.settings:
            logger.info("pushed settings say nothing of %s", SECTION)
        yield pull, (ls,), {}


def says_something(pushed: object) -> bool:
    """Whether pushed settings are about us, and not about other servers of the client's only.

    A client may send its settings for all servers, or ours without a name around them.
    """
    if not isinstance(pushed, Mapping):
        return True  # nonsense is to be told
    heads = {str(key).partition(".")[0] for key in pushed}
    return SECTION in heads or heads <= _KEYS


def _take(ls: DiffillServer, raw: object) -> None:
    tell_problems(ls, ls.session.configure(raw))
    suspicious.look_again(ls)


def tell_problems(ls: DiffillServer, problems: Sequence[Problem]) -> None:
    """Show keys that could not be used."""
    if problems:
        text = "Diffill settings: " + "; ".join(map(str, problems))
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))


def register(server: DiffillServer) -> None:
    server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(did_change_configuration)
