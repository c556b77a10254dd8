"""What the other files of the workspace say around each open document, read in the background.

Job: ask `diffusion.text.workspace`, on a thread of its own, when a document is opened and when a
request comes from another line of it; hand out what was found last. A request never waits for the
disk: it takes what is there.

Invariants: the thread begins with the first document that is wanted, so nothing is read where
`diffill.context.crossFile` is off; what was found under old rules is never handed out; of one
document at most one job waits, the newest. Used from the event loop's thread, but for `_run`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.text.cross_file import CrossFile
from diffusion.text.ignored import IgnoreRules
from diffusion.text.workspace import Workspace
from lsp_server.document import Document

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    """Read around `data`, the text of `file`."""

    file: Path
    data: bytes
    grammar: str
    recent: tuple[Path, ...]
    open_texts: Mapping[Path, bytes]


class Neighbours:
    """Texts of other files, by the URI of the document that they are wanted for."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._workspace = Workspace((), IgnoreRules())
        self._jobs: dict[str, _Job] = {}  # those that wait, the oldest first
        self._lines: dict[str, int] = {}  # the cursor's line that was wanted last
        self._found: dict[str, CrossFile] = {}
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False

    def set_rules(self, roots: Iterable[Path], rules: IgnoreRules) -> None:
        """Read below `roots` from now on, and what `rules` allow; what was found is forgotten.

        `rules` must not be used elsewhere.
        """
        with self._changed:
            self._workspace = Workspace(roots, rules)
        self.forget()

    def are_of(self, uri: str, line: int) -> bool:
        """Whether a document's neighbours were last wanted for a cursor on this line."""
        return self._lines.get(uri) == line

    def want(
        self,
        document: Document,
        file: Path,
        line: int,
        recent: tuple[Path, ...],
        open_texts: Mapping[Path, bytes],
    ) -> None:
        """Have a document's neighbours read, unless they were for a cursor on the same line."""
        if self._closed or self.are_of(document.uri, line):
            return
        self._lines[document.uri] = line
        job = _Job(file, document.data, document.grammar, recent, open_texts)
        with self._changed:
            self._jobs.pop(document.uri, None)
            self._jobs[document.uri] = job
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="diffill-neighbours", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def of(self, uri: str) -> CrossFile:
        """What was found last for a document; nothing before that."""
        with self._changed:
            return self._found.get(uri, CrossFile())

    def forget(self, uri: str | None = None) -> None:
        """Drop what is known of a document; of all without one."""
        with self._changed:
            tables: tuple[dict[str, Any], ...] = (self._jobs, self._lines, self._found)
            for table in tables:
                if uri is None:
                    table.clear()
                else:
                    table.pop(uri, None)
            self._changed.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to read; says whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout_s)

    def close(self) -> None:
        """Read nothing more."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if self._closed:
                    return
                uri = next(iter(self._jobs))
                job, workspace = self._jobs.pop(uri), self._workspace
                self._busy = True
            try:
                found = workspace.around(
                    job.file, job.data, job.grammar, recent=job.recent, open_texts=job.open_texts
                )
            except Exception:
                # A border, as the engine's thread is one: a mistake of ours must not end it.
                logger.exception("the files around a document could not be read")
                found = CrossFile()
            with self._changed:
                if workspace is self._workspace and uri in self._lines:
                    self._found[uri] = found
