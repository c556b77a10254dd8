"""`textDocument/didOpen`, `didChange`, `didClose`: keep our own copy of each open document.

Invariants: plain functions, so messages take effect in the order they arrive; a change for a
document that is not open is logged and ignored; after one that cannot be read the document is out
of sync, which the user is told once, until its whole text comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import convert
from lsp_server.features import changes, suspicious
from lsp_server.paths import path_of

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


def did_open(ls: DiffillServer, raw: Any) -> None:
    item = raw.get("textDocument") if isinstance(raw, dict) else None
    document = changes.opened(item)
    if document is None:
        logger.error("a document was opened with a text that cannot be read")
        if (uri := changes.uri_of(item)) is not None:  # it may be open already
            lose(ls, uri)
        return
    ls.session.put(document)
    suspicious.document_changed(ls, document.uri)


def did_change(ls: DiffillServer, raw: Any) -> None:
    params = raw if isinstance(raw, dict) else {}
    take(ls, changes.changed(params.get("textDocument"), params.get("contentChanges")))


def did_close(ls: DiffillServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.session.drop(params.text_document.uri)
    suspicious.document_changed(ls, params.text_document.uri)


def take(ls: DiffillServer, change: changes.Changed) -> None:
    """A change of a document, or of a cell of a notebook."""
    session, uri = ls.session, change.uri
    document = None if uri is None else session.documents.get(uri)
    if uri is not None and document is None:
        logger.warning("a change came for a document that is not open")
        return
    content = change.changes
    if content is not None and uri in session.out_of_sync:
        whole = changes.last_whole(content)
        content = None if whole is None else content[whole:]
    if document is None or content is None:
        lose(ls, uri, change.version)
        return
    session.out_of_sync.discard(document.uri)
    version = document.version + 1 if change.version is None else change.version
    session.change(convert.changed(document, content, version, session.encoding))
    suspicious.document_changed(ls, document.uri)


def lose(ls: DiffillServer, uri: str | None, version: int | None = None) -> None:
    """A text could not be read: of one document, or of any where the client does not say which."""
    session = ls.session
    uris = [*session.documents] if uri is None else [uri]
    lost = [one for one in uris if session.lose(one, version)]
    for one in uris:
        suspicious.document_changed(ls, one)
    if lost:
        logger.error("a change could not be read; documents out of sync: %d", len(lost))
        text = f"Diffill cannot read what the editor says of changes in {_names(lost)}"
        text += " and offers nothing there; open it again"
        ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))


def _names(uris: Iterable[str]) -> str:
    paths = [path_of(uri) for uri in uris]
    return ", ".join(dict.fromkeys("a document" if path is None else path.name for path in paths))


def register(server: DiffillServer) -> None:
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
