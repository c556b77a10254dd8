"""`diffill/confidence`: how sure the model is of each part of what it offered last.

Params: `{"textDocument": {"uri": ...}}`. Result: the items of the last inline completion in that
document, each in pieces with a probability. Nothing is computed but the pieces' texts; a client
asks when it wants to shade ghost text, and no other pays for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsp_server import convert
from lsp_server.completion.candidate import Piece, Suggestion
from lsp_server.document import Document
from lsp_server.features import params
from lsp_server.protocol import CONFIDENCE

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


def confidence(ls: DiffillServer, raw: Any) -> dict[str, Any]:
    uri = params.open_document(ls, raw).uri
    if uri not in ls.session.offered:
        return {"items": []}
    suggestions, document = ls.session.offered[uri]
    return {"items": [_item(suggestion, document) for suggestion in suggestions]}


def _item(suggestion: Suggestion, document: Document) -> dict[str, Any]:
    before, after = convert.beside(suggestion, document)
    all_of_it = (Piece(before, None), *suggestion.pieces, Piece(after, None))
    return {
        "insertText": before + suggestion.text + after,
        "score": round(suggestion.score, 4),
        "pieces": [
            {"text": piece.text, "p": None if piece.p is None else round(piece.p, 4)}
            for piece in all_of_it
            if piece.text
        ],
    }


def register(server: DiffillServer) -> None:
    server.feature(CONFIDENCE)(confidence)
