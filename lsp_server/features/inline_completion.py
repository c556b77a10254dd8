"""`textDocument/inlineCompletion`: ghost text.

The handler is a generator, which pygls starts when the message arrives and goes on with when the
yielded coroutine is done: that is how the snapshot is taken in time.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import convert
from lsp_server.features import requests

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

METHOD = types.TEXT_DOCUMENT_INLINE_COMPLETION


def inline_completion(
    ls: DiffillServer, params: types.InlineCompletionParams
) -> Generator[Any, Any, types.InlineCompletionList]:
    asked = requests.begin(
        ls.session,
        METHOD,
        params.text_document.uri,
        params.position,
        automatic=params.context.trigger_kind is types.InlineCompletionTriggerKind.Automatic,
        selected=params.context.selected_completion_info,
    )
    try:
        result: types.InlineCompletionList = yield _answer, (ls, asked), {}
    finally:
        requests.end(ls.session, asked)
    return result


async def _answer(ls: DiffillServer, asked: requests.Asked) -> types.InlineCompletionList:
    suggestions = await requests.answer(ls.session, asked)
    if asked.request is None or asked.shown is None:
        return types.InlineCompletionList([])
    ls.session.offered = (asked.uri, suggestions, asked.request.document)
    return convert.inline_list(
        suggestions, asked.request.document, asked.shown, ls.session.encoding
    )


def register(server: DiffillServer) -> None:
    # Without options pygls does not advertise the capability.
    server.feature(METHOD, types.InlineCompletionOptions())(inline_completion)
