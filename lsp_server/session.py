"""The state of one client: settings, open documents, requests in flight, the engine.

Invariants: used from the event loop's thread only; whatever changes a document tells the requests
that were made for the old text to stop; whatever changes which files may be read ends what may
quote from those of before, and forgets what it said.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from diffusion.cancel import CancelToken
from diffusion.suspicion import Suspicion
from diffusion.text import languages
from diffusion.text.ignored import Ignored
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.foresight import Foresight
from lsp_server.completion.pace import Pace
from lsp_server.completion.trigger import Refusal
from lsp_server.document import Document
from lsp_server.engine.engine import Engine, EngineConfig
from lsp_server.flights import Flights
from lsp_server.left_alone import LeftAlone, Rules
from lsp_server.neighbours import Neighbours
from lsp_server.observe.log import LogControl
from lsp_server.observe.trace import TraceRing
from lsp_server.paths import path_of
from lsp_server.pause import Pause
from lsp_server.reasons import Reason
from lsp_server.settings import Problem, Settings, merge, read, section
from lsp_server.snapshot import Snapshot
from lsp_server.training.reload import Chosen, chosen_adapter

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex

logger = logging.getLogger(__name__)
BACKGROUND = frozenset(("textDocument/diagnostic", "textDocument/hover"))
"""Methods that give way to every other one, in any document."""
IDLE_S = 1.5
"""How long nobody has to want anything before work in the background begins."""
DRAFT_INTERVAL_S = 0.1
"""Drafts of one request come no closer than this."""
ADAPTER_KEY = "diffill.model.adapter"
OTHERS = 4
"""Open documents that may be quoted beside the one that is edited."""


class Session:
    """One client."""

    def __init__(self, engine: Engine, log: LogControl) -> None:
        self.engine = engine
        self.log = log
        self.encoding = "utf-16"
        self.settings = Settings()
        self._problems: tuple[Problem, ...] = ()
        self.documents: dict[str, Document] = {}  # the last touched one last
        self.out_of_sync: set[str] = set()
        """Documents of which a change could not be read, so that their text is not the client's."""
        self._lost_before: set[str] = set()
        self.cache = ForwardCache()
        self.traces = TraceRing()
        self.pause = Pause()
        self.pace = Pace()
        self.foresight = Foresight()
        self.suspicions: dict[str, tuple[Document, tuple[Suspicion, ...]]] = {}
        """What was found last in a document, and in which version of it."""
        self.offered: dict[str, tuple[tuple[Suggestion, ...], Document]] = {}
        """Of every document the last inline completion: what, and for which text."""
        self._snapshot: Snapshot | None = None
        """Of the document that was looked at last."""
        self.publishing: dict[str, asyncio.Task[None]] = {}
        self.pulling: asyncio.Task[None] | None = None
        """The newest question for settings."""
        self.idle_s = IDLE_S
        self.draft_interval_s = DRAFT_INTERVAL_S
        self.folders: tuple[str, ...] = ()
        self.left_alone = LeftAlone(self._forget_quotes)
        self._rules = Rules()
        self._rules_for: object = None
        self.neighbours = Neighbours()
        self._edited: set[str] = set()
        self._real: dict[str, str] = {}
        """Of every open document, the real path of its file."""
        self.flights = Flights(BACKGROUND)
        self._initial: object = None
        self.root: Path | None = None
        """The folder that the client has open, the first one if there are several."""
        self.adapter = Chosen()
        self.on_touch: Callable[[], None] = lambda: None
        """Hears of every key and request; training waits then."""
        self.settings_listeners: list[Callable[[], None]] = []
        """Hear when settings were taken, and when an adapter was chosen."""

    # Settings

    def configure(self, raw: object, *, initial: bool = False) -> tuple[Problem, ...]:
        """Take settings from the client; give back the problems that are new.

        `initial` are the initialization options: what later settings are laid on.
        """
        if initial:
            raw = self._initial = section(raw, alone=True)
        base, over = section(self._initial), section(raw)
        languages = over.get("languages") if isinstance(over, dict) else None
        if isinstance(base, dict) and languages not in (None, []):
            base = {**base, "languages": None}  # replaced: one that is gone must not stay
        settings, problems = read(merge(base, over))
        known = self.problems
        for problem in problems:
            if problem not in known:
                logger.warning("settings: %s", problem)
        if settings != self.settings:
            self.cache.forget()
            self.suspicions.clear()
        self.settings, self._problems = settings, problems
        self._set_rules()
        self._look_around()
        self.stop_where_off()
        self.log.log_code(settings.privacy.log_code)
        self.choose_adapter(again=True)
        return tuple(problem for problem in self.problems if problem not in known)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be used: keys, and the adapter that they choose."""
        if self.adapter.problem is None:
            return self._problems
        return (*self._problems, Problem(ADAPTER_KEY, self.adapter.problem))

    def choose_adapter(self, *, again: bool = False) -> None:
        """Serve what the settings say now, with the adapter that belongs to the open folder.

        `again`: what could not be loaded of it is tried anew.
        """
        settings, known = self.settings, self.adapter.problem
        self.adapter = chosen_adapter(settings.model.adapter, self.root, settings.model.path)
        if self.adapter.problem not in (None, known):
            logger.warning("settings: %s: %s", ADAPTER_KEY, self.adapter.problem)
        config = EngineConfig(
            model_path=settings.model.path,
            threads=settings.performance.threads,
            adapter=self.adapter.folder,
            adapter_sha256=self.adapter.sha256,
            device=settings.performance.device,
        )
        self.engine.configure(config, again=again)
        for listener in self.settings_listeners:
            listener()

    # Files that are left alone

    def set_folders(self, uris: Iterable[str]) -> None:
        """The workspace folders, from now on."""
        self.folders = tuple(uris)
        self._set_rules()
        self._look_around()
        self.stop_where_off()

    def forget_ignored(self) -> None:
        """An ignore file has changed, and with it what may be read."""
        self._take_rules()
        self._look_around()

    def _look_around(self) -> None:
        """Have the files around the document at hand read, if they are wanted and were not."""
        for document in [*self.documents.values()][-1:]:
            self.repository(document)

    def ignored(self, uri: str) -> Ignored | None:
        """Why a document is left alone: not completed, not quoted from, not scored."""
        path = path_of(uri)
        return None if path is None else self.left_alone.why(path)

    def refusal(self, uri: str, *, automatic: bool) -> Refusal | None:
        """What speaks against a request whatever the text: a pause, a file left alone."""
        if uri in self.out_of_sync:
            return Refusal(Reason.OUT_OF_SYNC)
        paused = self.pause.reason(automatic=automatic)
        if paused is not None:
            return Refusal(paused)
        ignored = self.ignored(uri)
        if ignored is None:
            return None
        reason = Reason.SECRET_FILE if ignored.why == "secret" else Reason.IGNORED_FILE
        return Refusal(reason, f"{ignored.pattern} ({ignored.why})")

    def off(self, document: Document, *, automatic: bool) -> Refusal | None:
        """Why nothing is done in a document, be it asked for or not; None where something is.

        `automatic`: nobody asked, so that a snooze counts, too.
        """
        if not self.settings.enable:
            return Refusal(Reason.DISABLED)
        refusal = self.refusal(document.uri, automatic=automatic)
        if refusal is None and not self.settings.serves(document.language):
            return Refusal(Reason.LANGUAGE_OFF, document.language)
        return refusal

    def _set_rules(self) -> None:
        """Take new rules if folders or settings ask for others; what was read is read again then.

        Where no files are to be read any more, those that were are forgotten, too.
        """
        privacy, cross_file = self.settings.privacy, self.settings.context.cross_file
        roots = tuple(filter(None, map(path_of, self.folders)))
        rules = Rules(roots, privacy.ignore, privacy.respect_gitignore)
        if (rules, cross_file) == self._rules_for:
            return
        self._rules, self._rules_for = rules, (rules, cross_file)
        self._take_rules()

    def _take_rules(self) -> None:
        """What was read and said under other rules is forgotten, and not gone on with."""
        self.left_alone.take(self._rules)
        self._forget_quotes()
        self.stop_where_off()
        self.flights.cancel_foreground(Reason.RULES_CHANGED)
        self.neighbours.set_rules(self._rules.roots, self._rules.made())

    def _forget_quotes(self) -> None:
        """What was answered may stand in a file that is left alone now."""
        self.cache.forget()
        self.foresight.stop()

    # Documents

    def put(self, *documents: Document) -> None:
        """Open documents, together: ignore files are looked at again once, not for each."""
        self.left_alone.check_again()
        self.neighbours.hint()
        for document in documents:
            self._regain(document.uri)
            self.flights.cancel(Reason.STALE, document.uri)
            if (path := path_of(document.uri)) is not None:
                self._real[document.uri] = os.path.realpath(path)
            self._touch(document)
        for document in documents:
            self.repository(document)
            if self._is_served(document):
                self.engine.preload()

    def change(self, document: Document) -> None:
        """The next version of an open document."""
        self.pace.key()
        self._edited.add(document.uri)
        self.flights.cancel(Reason.STALE, document.uri)
        self._touch(document)

    def lose(self, uri: str, version: int | None = None) -> bool:
        """A change of a document could not be read; whether it is the first since it was opened.

        Nothing is offered in it until its whole text comes, and what was under way or found ends.
        `version`: what the change made of the document, where that is known.
        """
        document = self.documents.get(uri)
        if document is None:
            return False
        is_first = uri not in self._lost_before
        self._lost_before.add(uri)
        self.out_of_sync.add(uri)
        self.change(document.apply((), document.version + 1 if version is None else version))
        self._forget(uri)
        return is_first

    def _regain(self, uri: str) -> None:
        """The whole text of a document is known again, or it is closed."""
        self.out_of_sync.discard(uri)
        self._lost_before.discard(uri)

    def _forget(self, uri: str) -> None:
        """What was found in a document does not hold any more."""
        self.cache.forget(uri)
        self.foresight.stop()
        self.suspicions.pop(uri, None)
        self.offered.pop(uri, None)

    def _touch(self, document: Document) -> None:
        self.documents.pop(document.uri, None)
        self.documents[document.uri] = document
        self.on_touch()

    def snapshot(self, document: Document) -> Snapshot:
        """What is known of a version of a document; that of the last one is kept."""
        if self._snapshot is None or self._snapshot.document is not document:
            self._snapshot = Snapshot(document)
        return self._snapshot

    def others(self, document: Document) -> tuple[Document, ...]:
        """Other open documents in the language of `document`, the last touched first."""
        alike = (
            other
            for other in reversed(self.documents.values())
            if other.uri != document.uri
            and other.language == document.language
            and self.ignored(other.uri) is None
        )
        return tuple(islice(alike, OTHERS))

    def repository(self, document: Document) -> LineIndex | None:
        """The lines of the files around a document that are not open; None where that is off."""
        real, settings = self._real.get(document.uri), self.settings
        if not settings.context.cross_file or real is None or not self._is_served(document):
            return None
        index = self.neighbours.around(Path(real), document.language)
        if index is None:
            return None
        shown = set(self.documents)
        if settings.context.open_files:  # what is not quoted as it is open may be as it was saved
            quoted = {other.uri for other in self.others(document)}
            shown &= {document.uri, *self._edited, *quoted}
        return index.without([self._real[uri] for uri in shown if uri in self._real])

    def _is_served(self, document: Document) -> bool:
        """Whether anything would be offered in a document to somebody who asks."""
        return document.language != languages.TEXT and self.off(document, automatic=False) is None

    def drop(self, uri: str) -> None:
        """Close a document."""
        self.flights.cancel(Reason.CLOSED, uri)
        self._regain(uri)
        if uri in self._edited:
            self.neighbours.changed()
        self._edited.discard(uri)
        self._real.pop(uri, None)
        self.documents.pop(uri, None)
        self._forget(uri)
        if self._snapshot is not None and self._snapshot.document.uri == uri:
            self._snapshot = None

    # Requests

    def forget_answers(self) -> None:
        """Another model answers from now on; what the last one is still scoring begins anew."""
        self.cache.forget()
        self.suspicions.clear()
        self.flights.cancel_background()

    def take_off(self, uri: str, method: str) -> CancelToken:
        """Begin a request; the one before it for this document and method is told to stop."""
        self.on_touch()
        return self.flights.begin(uri, method)

    def land(self, uri: str, method: str, token: CancelToken) -> None:
        """A request has ended, in whatever way."""
        self.flights.end(uri, method, token)

    def stop_where_off(self) -> None:
        """End what is under way in documents in which nothing is done any more."""
        for uri, token in self.flights:
            document = self.documents.get(uri)
            off = None if document is None else self.off(document, automatic=False)
            if off is not None:
                token.cancel(off.reason)

    async def idle(self) -> None:
        """Come back once it is worth beginning something in the background."""
        await asyncio.sleep(self.idle_s)

    def close(self) -> None:
        """Stop all work; further requests are refused."""
        self.flights.cancel(Reason.SHUTTING_DOWN)
        for task in self.publishing.values():
            task.cancel()
        self.foresight.stop()
        self.neighbours.close()
        self.engine.close()
