"""`textDocument/completion`: the pop-up list, for clients without inline completion.

Announced only to a client that needs it, so that nobody gets every suggestion twice
(`completion.enable`).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import convert
from lsp_server.features import requests
from lsp_server.reasons import Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

METHOD = types.TEXT_DOCUMENT_COMPLETION
TRIGGERS = (".", "(", "[", "{", ",", "=", ":", " ")


def completion(
    ls: DiffillServer, params: types.CompletionParams
) -> Generator[Any, Any, types.CompletionList]:
    kind = params.context.trigger_kind if params.context else None
    asked = requests.begin(
        ls.session,
        METHOD,
        params.text_document.uri,
        params.position,
        automatic=kind is types.CompletionTriggerKind.TriggerCharacter,
    )
    if ls.session.settings.completion.enable == "never":
        asked.trace.nothing(Reason.COMPLETION_DISABLED)
        asked.request = None
    try:
        result: types.CompletionList = yield _answer, (ls, asked), {}
    finally:
        requests.end(ls.session, asked)
    return result


async def _answer(ls: DiffillServer, asked: requests.Asked) -> types.CompletionList:
    suggestions = await requests.answer(ls.session, asked)
    if asked.request is None:
        return types.CompletionList(is_incomplete=True, items=[])
    style = convert.ItemStyle.of(ls.client_capabilities)
    return convert.completion_list(suggestions, asked.request.document, ls.session.encoding, style)


def register_if_wanted(server: DiffillServer, client: types.ClientCapabilities) -> None:
    """Announce completion, during `initialize`, where the settings ask for it."""
    wanted = server.session.settings.completion.enable
    text_document = client.text_document
    inline = text_document is not None and text_document.inline_completion is not None
    if wanted == "always" or (wanted == "ifNoInline" and not inline):
        options = types.CompletionOptions(trigger_characters=list(TRIGGERS))
        server.feature(METHOD, options)(completion)


def register(server: DiffillServer) -> None:
    """Nothing yet: see `register_if_wanted`."""
