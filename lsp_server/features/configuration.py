"""Settings: initialization options, `workspace/configuration`, `didChangeConfiguration`.

A client that can be asked is asked (pull); what one pushes is used when it has content. Bad
keys are shown to the user once, with their path.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.features import suspicious
from lsp_server.settings import SECTION, Problem

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


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
    """Fetch the settings from a client that can be asked."""
    workspace = ls.client_capabilities.workspace
    if not (workspace and workspace.configuration):
        return
    item = types.ConfigurationItem(section=SECTION)
    try:
        answer = await ls.workspace_configuration_async(types.ConfigurationParams([item]))
    except JsonRpcException as error:
        logger.warning("the client did not send its settings: %s", error.code)
        return
    if answer:
        _take(ls, answer[0])


def did_change_configuration(
    ls: DiffillServer, params: types.DidChangeConfigurationParams
) -> Generator[Any, Any, None]:
    """A generator, so that pushed settings hold for the very next message."""
    if params.settings:
        _take(ls, params.settings)
    else:
        yield pull, (ls,), {}


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
