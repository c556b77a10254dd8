"""A session that knows of which documents it lost track, as a change could not be read.

Invariants: from then on nothing is offered in such a document, and a request that is under way
ends, until its whole text comes; what was found in it before is forgotten.
"""

from __future__ import annotations

from lsp_server.completion.trigger import Refusal
from lsp_server.document import Document
from lsp_server.engine.engine import Engine
from lsp_server.observe.log import LogControl
from lsp_server.reasons import Reason
from lsp_server.session import Session


class SyncedSession(Session):
    """One client."""

    def __init__(self, engine: Engine, log: LogControl) -> None:
        super().__init__(engine, log)
        self.out_of_sync: set[str] = set()
        """Documents whose text is not the client's any more."""
        self._lost_before: set[str] = set()

    def lose(self, uri: str, version: int | None = None) -> bool:
        """A change of a document could not be read; whether it is the first since it was opened.

        `version`: what it made of the document, where that is known.
        """
        document = self.documents.get(uri)
        if document is None:
            return False
        is_first = uri not in self._lost_before
        self._lost_before.add(uri)
        self.out_of_sync.add(uri)
        self.change(document.apply((), document.version + 1 if version is None else version))
        self.cache.forget(uri)
        self.suspicions.pop(uri, None)
        if self.offered is not None and self.offered[0] == uri:
            self.offered = None
        return is_first

    def refusal(self, uri: str, *, automatic: bool) -> Refusal | None:
        if uri in self.out_of_sync:
            return Refusal(Reason.OUT_OF_SYNC)
        return super().refusal(uri, automatic=automatic)

    def put(self, *documents: Document) -> None:
        for document in documents:
            self._found(document.uri)
        super().put(*documents)

    def drop(self, uri: str) -> None:
        self._found(uri)
        super().drop(uri)

    def _found(self, uri: str) -> None:
        self.out_of_sync.discard(uri)
        self._lost_before.discard(uri)
