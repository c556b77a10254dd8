"""`textDocument/inlineCompletion`: ghost text.

The handler is a generator, which pygls starts when the message arrives and goes on with when the
yielded coroutine is done: that is how the snapshot is taken in time.

Early drafts of the method numbered who asks from 0 (Invoked) on, 3.18 does from 1 on. A client that
once says 0 is read by the drafts from then on; who says nothing that is known asks while typing.
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
_Kind = types.InlineCompletionTriggerKind


def inline_completion(
    ls: DiffillServer, params: types.InlineCompletionParams
) -> Generator[Any, Any, types.InlineCompletionList]:
    asked = requests.begin(
        ls.session,
        METHOD,
        params.text_document.uri,
        params.position,
        automatic=params.context.trigger_kind is _Kind.Automatic,
        sure=ls.session.settings.inline.extent == "sure",
        selected=params.context.selected_completion_info,
    )
    try:
        result: types.InlineCompletionList = yield _answer, (ls, asked), {}
    finally:
        requests.end(ls.session, asked)
    return result


async def _answer(ls: DiffillServer, asked: requests.Asked) -> types.InlineCompletionList:
    suggestions = await requests.answer(ls.session, asked)
    newest = not asked.cancel.is_cancelled  # else a newer one may be what is shown
    if asked.request is None or asked.shown is None:
        if newest:
            ls.session.offered.pop(asked.uri, None)
        return types.InlineCompletionList([])
    if newest:
        ls.session.offered[asked.uri] = (suggestions, asked.request.document)
    return convert.inline_list(
        suggestions, asked.request.document, asked.shown, ls.session.encoding
    )


class _Reading:
    """Reads the params of one client."""

    def __init__(self, server: DiffillServer) -> None:
        converter = server.protocol._converter
        self._read = converter.get_structure_hook(types.InlineCompletionParams)
        self._invoked = 1
        converter.register_structure_hook(types.InlineCompletionParams, self)

    def __call__(self, raw: Any, cls: Any) -> types.InlineCompletionParams:
        if isinstance(raw, dict):
            context = raw.get("context")
            raw = {**raw, "context": self._context({} if context is None else context)}
        found: types.InlineCompletionParams = self._read(raw, cls)
        return found

    def _context(self, raw: Any) -> Any:
        """The context with 3.18's number of who asks."""
        if not isinstance(raw, dict):
            return raw
        kind = raw.get("triggerKind")
        if kind == 0:
            self._invoked = 0
        return {**raw, "triggerKind": _Kind.Invoked if kind == self._invoked else _Kind.Automatic}


def register(server: DiffillServer) -> None:
    _Reading(server)
    # Without options pygls does not advertise the capability.
    server.feature(METHOD, types.InlineCompletionOptions())(inline_completion)
