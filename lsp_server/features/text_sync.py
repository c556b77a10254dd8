"""`textDocument/didOpen`, `didChange`, `didClose`: keep our own copy of each open document.

Invariants: plain functions, so messages take effect in the order they arrive; a change for a
document that is not open is logged and ignored.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lsprotocol import types

from lsp_server import convert
from lsp_server.document import Document
from lsp_server.features import suspicious

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


def did_open(ls: DiffillServer, params: types.DidOpenTextDocumentParams) -> None:
    item = params.text_document
    ls.session.put(Document.open(item.uri, item.language_id, item.version, item.text))
    suspicious.document_changed(ls, item.uri)


def did_change(ls: DiffillServer, params: types.DidChangeTextDocumentParams) -> None:
    session, uri = ls.session, params.text_document.uri
    document = session.documents.get(uri)
    if document is None:
        logger.warning("a change came for a document that is not open")
        return
    version = params.text_document.version
    session.change(convert.changed(document, params.content_changes, version, session.encoding))
    suspicious.document_changed(ls, uri)


def did_close(ls: DiffillServer, params: types.DidCloseTextDocumentParams) -> None:
    ls.session.drop(params.text_document.uri)
    suspicious.document_changed(ls, params.text_document.uri)


def register(server: DiffillServer) -> None:
    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
