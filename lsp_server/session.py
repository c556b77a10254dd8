"""The state of one client: settings, open documents, requests in flight, the engine.

Invariants: used from the event loop's thread only; of one document and method at most one
request is in flight, a newer one takes its place; whatever changes a document tells the requests
that were made for the old text to stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from diffusion.cancel import CancelToken
from diffusion.text import languages
from lsp_server.completion.cache import ForwardCache
from lsp_server.document import Document
from lsp_server.engine.engine import Engine, EngineConfig
from lsp_server.observe.log import LogControl
from lsp_server.observe.trace import TraceRing
from lsp_server.reasons import Reason
from lsp_server.settings import Problem, Settings, merge, read
from lsp_server.training.reload import Chosen, chosen_adapter

logger = logging.getLogger(__name__)
OTHERS = 4
"""Open documents that may be quoted beside the one that is edited."""


class Session:
    """One client."""

    def __init__(self, engine: Engine, log: LogControl) -> None:
        self.engine = engine
        self.log = log
        self.encoding = "utf-16"
        self.settings = Settings()
        self.problems: tuple[Problem, ...] = ()
        self.documents: dict[str, Document] = {}  # the last touched one last
        self.cache = ForwardCache()
        self.traces = TraceRing()
        self._flights: dict[tuple[str, str], CancelToken] = {}
        self._initial: object = None
        self._engine_config = EngineConfig()
        self.root: Path | None = None
        """The folder that the client has open, the first one if there are several."""
        self.adapter = Chosen()
        self.on_touch: Callable[[], None] = lambda: None
        """Hears of every key and request; training waits then."""

    # Settings

    def configure(self, raw: object, *, initial: bool = False) -> tuple[Problem, ...]:
        """Take settings from the client; give back the problems that are new.

        `initial` are the initialization options: what later settings are laid on.
        """
        if initial:
            self._initial = raw
        settings, problems = read(merge(_section(self._initial), _section(raw)))
        new = tuple(problem for problem in problems if problem not in self.problems)
        for problem in new:
            logger.warning("settings: %s", problem)
        if settings != self.settings:
            self.cache.forget()
        self.settings, self.problems = settings, problems
        self.log.log_code(settings.privacy.log_code)
        self.choose_adapter()
        return new

    def choose_adapter(self) -> None:
        """Serve what the settings say now, with the adapter that belongs to the open folder."""
        settings = self.settings
        self.adapter = chosen_adapter(settings.model.adapter, self.root)
        if self.adapter.problem is not None:
            logger.warning("settings: diffill.model.adapter: %s", self.adapter.problem)
        config = EngineConfig(
            settings.model.path, settings.performance.threads, self.adapter.folder
        )
        if config != self._engine_config:
            self._engine_config = config
            self.engine.configure(config)

    # Documents

    def put(self, document: Document) -> None:
        """Open a document."""
        self._cancel(document.uri, Reason.STALE)
        self._touch(document)
        if (
            self.settings.enable
            and document.language != languages.TEXT
            and self.settings.serves(document.language)
        ):
            self.engine.preload()

    def change(self, document: Document) -> None:
        """The next version of an open document."""
        self._cancel(document.uri, Reason.STALE)
        self._touch(document)

    def _touch(self, document: Document) -> None:
        self.documents.pop(document.uri, None)
        self.documents[document.uri] = document
        self.on_touch()

    def others(self, document: Document) -> tuple[Document, ...]:
        """Other open documents in the language of `document`, the last touched first."""
        alike = [
            other
            for other in reversed(self.documents.values())
            if other.uri != document.uri and other.language == document.language
        ]
        return tuple(alike[:OTHERS])

    def drop(self, uri: str) -> None:
        """Close a document."""
        self._cancel(uri, Reason.CLOSED)
        self.documents.pop(uri, None)
        self.cache.forget(uri)

    # Requests

    def take_off(self, uri: str, method: str) -> CancelToken:
        """Begin a request; the one before it for this document and method is told to stop."""
        self.on_touch()
        key = (uri, method)
        if (older := self._flights.get(key)) is not None:
            older.cancel(Reason.SUPERSEDED)
        token = self._flights[key] = CancelToken()
        return token

    def land(self, uri: str, method: str, token: CancelToken) -> None:
        """A request has ended, in whatever way."""
        if self._flights.get((uri, method)) is token:
            del self._flights[uri, method]

    def _cancel(self, uri: str, reason: Reason) -> None:
        for (flight_uri, _), token in self._flights.items():
            if flight_uri == uri:
                token.cancel(reason)

    def close(self) -> None:
        """Stop all work; further requests are refused."""
        for token in self._flights.values():
            token.cancel(Reason.SHUTTING_DOWN)
        self.engine.close()


def _section(raw: object) -> object:
    """The `diffill` section of what a client sent, which may or may not be wrapped in its name."""
    if isinstance(raw, dict) and isinstance(raw.get("diffill"), dict):
        return raw["diffill"]
    return raw
