"""`textDocument/completion`: the pop-up list, for clients without inline completion.

Announced only to a client that needs it, so that nobody gets every suggestion twice
(`completion.enable`): when it starts, or later, where it can be told later. Invariant: whoever asks
gets an answer, and an empty one where the settings want none.

A client says less than `inlineCompletion` does about who asks. The list is never complete, so it
asks again at every key; and `Invoked` may be a key of the user's, or a word that is being typed.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import convert
from lsp_server.document import to_text
from lsp_server.features import requests
from lsp_server.features.announcing import Told
from lsp_server.reasons import Reason
from lsp_server.session import Session

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

METHOD = types.TEXT_DOCUMENT_COMPLETION
TRIGGERS = (".", "(", "[", "{", ",", "=", ":", " ")
TYPING_S = 0.4
"""Editors that ask while a word is typed wait up to a quarter of a second after its last key."""


def completion(
    ls: DiffillServer, params: types.CompletionParams
) -> Generator[Any, Any, types.CompletionList]:
    asked = requests.begin(
        ls.session,
        METHOD,
        params.text_document.uri,
        params.position,
        automatic=_is_automatic(ls.session, params),
    )
    if not _is_wanted(ls):
        asked.trace.nothing(Reason.COMPLETION_DISABLED)
        asked.request = None
    try:
        result: types.CompletionList = yield _answer, (ls, asked), {}
    finally:
        requests.end(ls.session, asked)
    return result


def _is_automatic(session: Session, params: types.CompletionParams) -> bool:
    """Whether the client asks because of what is typed."""
    invoked = types.CompletionTriggerKind.Invoked
    if params.context is not None and params.context.trigger_kind is not invoked:
        return True
    document = session.documents.get(params.text_document.uri)
    if document is None or session.pace.since_key_s > TYPING_S:
        return False
    cursor = convert.offset_at(params.position, document.data, document.lines, session.encoding)
    start, _ = document.line(cursor)
    last = to_text(document.data[start:cursor])[-1:]
    return last.isalnum() or last == "_"


async def _answer(ls: DiffillServer, asked: requests.Asked) -> types.CompletionList:
    suggestions = await requests.answer(ls.session, asked)
    if asked.request is None:
        return types.CompletionList(is_incomplete=True, items=[])
    style = convert.ItemStyle.of(ls.client_capabilities)
    return convert.completion_list(suggestions, asked.request.document, ls.session.encoding, style)


# Who is told of it


def _is_wanted(ls: DiffillServer) -> bool:
    enable, client = ls.session.settings.completion.enable, ls.client_capabilities.text_document
    inline = client is not None and client.inline_completion is not None
    return enable == "always" or (enable == "ifNoInline" and not inline)


def announce_if_wanted(server: DiffillServer) -> None:
    """Announce completion, during `initialize`, where the settings ask for it."""
    if _is_wanted(server):
        _serve(server)


def watch(server: DiffillServer) -> None:
    """Serve also a client that was told nothing, and tell it when the settings have changed."""
    if METHOD in server.protocol.fm.features:
        return  # what was announced at the start cannot be taken back
    _serve(server)
    client = server.client_capabilities.text_document
    if client is None or client.completion is None or not client.completion.dynamic_registration:
        return
    options = types.CompletionRegistrationOptions(trigger_characters=list(TRIGGERS))
    told = Told(server, "completion", METHOD, options, lambda: _is_wanted(server))
    server.session.settings_listeners.append(told.settings_changed)


def _serve(server: DiffillServer) -> None:
    options = types.CompletionOptions(trigger_characters=list(TRIGGERS))
    server.feature(METHOD, options)(completion)


def register(server: DiffillServer) -> None:
    """Nothing yet: see `announce_if_wanted` and `watch`."""
