"""`notebookDocument/*`: every code cell is a document of its own, under the cell's URI.

Completion, scoring and the rest then work in a cell as in a file, and other cells in its language
are other open documents, which may be quoted from. The order of cells is not known to the model:
it reads one cell at a time. Invariants: as in `text_sync`, changes take effect in the order they
arrive, and one that cannot be read leaves its cell out of sync.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp_server.features import changes, suspicious, text_sync

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)


def sync_options() -> types.NotebookDocumentSyncOptions:
    """Cells of every kind of notebook; the trigger refuses languages that are unknown."""
    every = types.NotebookDocumentFilterWithNotebook(notebook="*")
    return types.NotebookDocumentSyncOptions(notebook_selector=[every], save=False)


def did_open(ls: DiffillServer, raw: Any) -> None:
    items = raw.get("cellTextDocuments") if isinstance(raw, dict) else None
    structure = {"didOpen": items}
    _take(ls, changes.notebook_changed({"cells": {"structure": structure}}))


def did_change(ls: DiffillServer, raw: Any) -> None:
    _take(ls, changes.notebook_changed(raw.get("change") if isinstance(raw, dict) else None))


def _take(ls: DiffillServer, change: changes.NotebookChanged) -> None:
    for uri in change.closed:
        _drop(ls, uri)
    if change.opened:
        ls.session.put(*change.opened)
    for cell in change.opened:
        suspicious.document_changed(ls, cell.uri)
    for unread in change.unread:
        logger.error("a cell was opened with a text that cannot be read")
        text_sync.lose(ls, unread)
    for text in change.texts:
        text_sync.take(ls, text)


def did_close(ls: DiffillServer, params: types.DidCloseNotebookDocumentParams) -> None:
    for cell in params.cell_text_documents:
        _drop(ls, cell.uri)


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
