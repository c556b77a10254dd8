"""`notebookDocument/*`: every code cell is a document of its own, under the cell's URI.

Completion, scoring and the rest then work in a cell as in a file, and other cells in its language
are other open documents, which may be quoted from. The order of cells is not known to the model:
it reads one cell at a time. Invariant: changes take effect in the order they arrive, as in
`text_sync`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server import convert
from lsp_server.document import Document
from lsp_server.features import suspicious

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


def sync_options() -> types.NotebookDocumentSyncOptions:
    """Cells of every kind of notebook; the trigger refuses languages that are unknown."""
    every = types.NotebookDocumentFilterWithNotebook(notebook="*")
    return types.NotebookDocumentSyncOptions(notebook_selector=[every], save=False)


def did_open(ls: DiffillServer, params: types.DidOpenNotebookDocumentParams) -> None:
    _put(ls, params.cell_text_documents)


def did_change(ls: DiffillServer, params: types.DidChangeNotebookDocumentParams) -> None:
    session, cells = ls.session, params.change.cells
    if cells is None:
        return
    if cells.structure is not None:
        for gone in cells.structure.did_close or ():
            _drop(ls, gone.uri)
        _put(ls, cells.structure.did_open or ())
    for content in cells.text_content or ():
        document = session.documents.get(content.document.uri)
        if document is None:
            logger.warning("a change came for a cell that is not open")
            continue
        version = content.document.version
        session.change(convert.changed(document, content.changes, version, session.encoding))
        suspicious.document_changed(ls, document.uri)


def did_close(ls: DiffillServer, params: types.DidCloseNotebookDocumentParams) -> None:
    for cell in params.cell_text_documents:
        _drop(ls, cell.uri)


def _put(ls: DiffillServer, items: Sequence[types.TextDocumentItem]) -> None:
    cells = [Document.open(item.uri, item.language_id, item.version, item.text) for item in items]
    ls.session.put(*cells)
    for cell in cells:
        suspicious.document_changed(ls, cell.uri)


def _drop(ls: DiffillServer, uri: str) -> None:
    ls.session.drop(uri)
    suspicious.document_changed(ls, uri)


METHODS: dict[str, Any] = {
    types.NOTEBOOK_DOCUMENT_DID_OPEN: did_open,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE: did_change,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE: did_close,
}


def register(server: DiffillServer) -> None:
    for method, handler in METHODS.items():
        server.feature(method)(handler)
