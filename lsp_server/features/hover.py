"""`textDocument/hover`: the probability of the word under the cursor, and likelier ones.

Only where suspicious words are marked, too (`suspicious.wanted`). The line alone is scored; a
request of a person's takes the engine away, and then there is nothing to show.

A client that can be told later is told of it while words are marked: some give a key to hover as
soon as a server announces it. Others hear of it at the start, since the settings may come after.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from diffusion.cancel import Cancelled, CancelToken
from diffusion.suspicion import ScoredWord
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineScoreRequest
from lsp_server.features import score, suspicious
from lsp_server.features.announcing import Told
from lsp_server.reasons import Reason
from lsp_server.session import BACKGROUND

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

METHOD = types.TEXT_DOCUMENT_HOVER
MAX_TOKENS = 112
"""A line of more is not worth the wait."""
assert METHOD in BACKGROUND


def hover(
    ls: DiffillServer, params: types.HoverParams
) -> Generator[Any, Any, types.Hover | None]:
    session = ls.session
    document = session.documents.get(params.text_document.uri)
    if document is None or not suspicious.wanted(ls, document):
        return None
    at = convert.offset_at(params.position, document.data, document.lines, session.encoding)
    token = session.take_off(document.uri, METHOD)
    try:
        shown: types.Hover | None = yield _answer, (ls, document, at, token), {}
    finally:
        session.land(document.uri, METHOD, token)
        token.cancel(Reason.CANCELLED)
    return shown


async def _answer(
    ls: DiffillServer, document: Document, at: int, token: CancelToken
) -> types.Hover | None:
    start, end = document.line(at)
    asked = EngineScoreRequest(document.data, start, end, document.grammar, MAX_TOKENS)
    try:
        answer, _ = await score.ask(ls, document, asked, token)
    except Cancelled:
        return None
    # Between two words the one to the right: its first character is under the cursor.
    word = next((w for w in reversed(answer.words) if w.start <= at <= w.end), None)
    if word is None:
        return None
    where = convert.range_at(word.start, word.end, document, ls.session.encoding)
    return types.Hover(types.MarkupContent(types.MarkupKind.PlainText, _said(word)), where)


def _said(word: ScoredWord) -> str:
    others = [f"{a.text} {a.p:.1%}" for a in word.alternatives if a.text != word.text]
    also = f"; others: {', '.join(others)}" if others else ""
    return f"Diffill: {word.text} {word.p:.1%}{also}"


# Who is told of it


def announce_unless_later(server: DiffillServer) -> None:
    """Announce hover, during `initialize`, to a client that cannot be told later."""
    if not _can_be_told_later(server):
        _serve(server)


def watch(server: DiffillServer) -> None:
    """Tell a client that was told nothing, now and whenever the settings have changed."""
    if not _can_be_told_later(server):
        return
    _serve(server)
    told = Told(
        server, "hover", METHOD, types.HoverRegistrationOptions(),
        lambda: server.session.settings.enable and server.session.settings.diagnostics.enable,
    )  # fmt: skip
    server.session.settings_listeners.append(told.settings_changed)
    told.settings_changed()


def _can_be_told_later(server: DiffillServer) -> bool:
    client = server.client_capabilities.text_document
    can = client.hover if client is not None else None
    return can is not None and bool(can.dynamic_registration)


def _serve(server: DiffillServer) -> None:
    server.feature(METHOD, types.HoverOptions())(hover)


def register(server: DiffillServer) -> None:
    """Nothing yet: see `announce_unless_later` and `watch`."""
