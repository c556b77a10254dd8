"""The lines of the files around each open document, indexed in the background.

Job: have `diffusion.text.nearby_files` read a repository's files in a document's language, on a
thread of its own; hand out the index that was made last. A request never waits for the disk: it
takes what is there.

Invariants: the thread begins with the first document that is wanted, so nothing is read where
`diffill.context.crossFile` is off; a file with a key or token in it is left out whole; an index
made under old rules is never handed out, one that a saved file has made stale is, until the next is
ready; a repository that fits is read once for all its folders, and what is only read for who works
there (a vendored folder, another repository) is handed out there only. Used from the event loop's
thread, but for `_run`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from diffusion.text.ignored import IgnoreRules
from diffusion.text.languages import TEXT

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex
    from diffusion.text.nearby_files import Reading

logger = logging.getLogger(__name__)

MOST_READINGS: Final = 6
"""That are remembered; each takes about twice its text."""
OLDEST_S: Final = 600.0
"""After this what is wanted is read again: files change without an editor, too."""

REST_S: Final = 30.0
"""A hint that something may have changed is followed after this."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where files are read for: a document's folder, below a root, in a language."""

    root: Path
    folder: Path
    language: str


@dataclass(frozen=True, slots=True)
class _Made:
    """A reading, for which place it was made, and after how many changes and hints of some."""

    place: _Place
    reading: Reading
    changes: int
    hints: int
    made_s: float

    def covers(self, place: _Place) -> bool:
        """Whether it holds nothing that a reading for `place` would not."""
        if (self.place.root, self.place.language) != (place.root, place.language):
            return False
        return self.place.folder == place.folder or (
            self.reading.ordinary and place.folder in self.reading.folders
        )

    def serves(self, place: _Place, changes: int, hints: int) -> bool:
        """Whether nothing better could be made for `place` now."""
        age_s = time.monotonic() - self.made_s
        return (
            self.covers(place)
            and (self.reading.whole or self.place.folder == place.folder)
            and self.changes == changes
            and age_s < (OLDEST_S if self.hints == hints else REST_S)
        )


def read(place: _Place, file: Path, rules: IgnoreRules, stop: Callable[[], bool]) -> Reading:
    """`index_around`, loaded when it is first needed: `initialize` is answered before."""
    from diffusion.data.secret_scan import holds_key
    from diffusion.text.nearby_files import index_around

    return index_around(
        file, place.root, rules, language=place.language, leave_out=holds_key, stop=stop
    )


class Neighbours:
    """The last readings, of all roots and languages."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._roots: tuple[Path, ...] = ()
        self._rules = IgnoreRules()
        self._made: OrderedDict[_Place, _Made] = OrderedDict()
        self._waiting: OrderedDict[_Place, Path] = OrderedDict()
        self._changes = self._hints = 0
        self._thread: threading.Thread | None = None
        self._busy = False
        self._closed = False

    def set_rules(self, roots: Iterable[Path], rules: IgnoreRules) -> None:
        """Read below `roots` from now on, and what `rules` allow; what was made is forgotten.

        `rules` must not be used elsewhere.
        """
        with self._changed:
            self._roots = tuple(Path(os.path.realpath(root)) for root in roots)
            self._rules = rules
            self._forget()

    def changed(self) -> None:
        """A file has changed: what is wanted next is read again."""
        with self._changed:
            self._changes += 1

    def hint(self) -> None:
        """Something may have changed, an ignore file perhaps: read again what is not quite new."""
        with self._changed:
            self._hints += 1

    def around(self, file: Path, language: str) -> LineIndex | None:
        """What is known of the files around `file`, a real path; None before they were read once.

        They are read, in the background, when they have not been, or were before a change.
        """
        root = self._root_of(file)
        if root is None or language == TEXT or self._closed:
            return None
        place = _Place(root, file.parent, language)
        with self._changed:
            made = self._best(place)
            if made is None or not made.serves(place, self._changes, self._hints):
                self._want(place, file)
            return made.reading.index if made is not None else None

    def _best(self, place: _Place) -> _Made | None:
        """The newest reading that covers a place, one that serves it first."""
        found = [made for made in reversed(self._made.values()) if made.covers(place)]
        serving = (made for made in found if made.serves(place, self._changes, self._hints))
        return next(serving, found[0] if found else None)

    def settle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to read; says whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """Read nothing more."""
        with self._changed:
            self._closed = True
            self._forget()

    def _forget(self) -> None:
        self._made.clear()
        self._waiting.clear()
        self._changed.notify_all()

    def _want(self, place: _Place, file: Path) -> None:
        self._waiting.pop(place, None)
        self._waiting[place] = file
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._run, name="diffill-neighbours", daemon=True
            )
            self._thread.start()
        self._changed.notify_all()

    def _root_of(self, real: Path) -> Path | None:
        """The innermost root above a file."""
        above = [root for root in self._roots if root in real.parents]
        return max(above, key=lambda root: len(root.parts), default=None)

    def _gone(self, rules: IgnoreRules) -> Callable[[], bool]:
        """Whether nobody wants any more what is read under `rules`."""
        return lambda: self._closed or rules is not self._rules

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                place, file = self._waiting.popitem(last=False)
                made = self._best(place)
                if made is not None and made.serves(place, self._changes, self._hints):
                    continue  # it was made while this one waited
                rules, changes, hints = self._rules, self._changes, self._hints
                self._busy = True
            try:
                rules.forget()  # an ignore file may have changed since
                reading = read(place, file, rules, self._gone(rules))
            except Exception:
                # A border, as the engine's thread is one: a mistake of ours must not end it.
                logger.exception("the files around a document could not be read")
                reading = _nothing()
            with self._changed:
                if rules is self._rules and not self._closed:
                    self._made.pop(place, None)
                    now_s = time.monotonic()
                    self._made[place] = _Made(place, reading, changes, hints, now_s)
                    if len(self._made) > MOST_READINGS:
                        self._made.popitem(last=False)


def _nothing() -> Reading:
    from diffusion.text.line_index import LineIndex
    from diffusion.text.nearby_files import Reading

    return Reading(LineIndex.of(()))
