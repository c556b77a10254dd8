"""The lines of the files around each open document, indexed in the background.

Job: have `diffusion.text.nearby_files` read a repository's files in a document's language, on a
thread of its own; hand out the index that was made last. A request never waits for the disk: it
takes what is there.

Invariants: the thread begins with the first document that is wanted, so nothing is read where
`diffill.context.crossFile` is off; a file with a key or token in it is left out whole; an index
made under old rules is never handed out, one that a saved file has made stale is, until the next is
ready; a repository that fits is indexed once for all its folders. Used from the event loop's
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
from diffusion.text.languages import TEXT, language_for_path

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex

logger = logging.getLogger(__name__)

MOST_INDEXES: Final = 6
"""Roots and languages that are remembered; each takes about twice its text."""
OLDEST_S: Final = 600.0
"""After this what is wanted is read again: files change without an editor, too."""

Key = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class _Made:
    """An index, the folder that it was made around, and whether it holds all there is."""

    index: LineIndex
    folder: Path
    whole: bool
    turn: int
    made_s: float

    def serves(self, file: Path, turn: int) -> bool:
        """Whether nothing better could be made for `file` now."""
        fits = self.whole or self.folder == file.parent
        return fits and self.turn == turn and time.monotonic() - self.made_s < OLDEST_S


def read(
    file: Path, root: Path, rules: IgnoreRules, stop: Callable[[], bool]
) -> tuple[LineIndex, bool]:
    """`index_around`, loaded when it is first needed: `initialize` is answered before."""
    from diffusion.data.secret_scan import holds_key
    from diffusion.text.nearby_files import index_around

    return index_around(file, root, rules, leave_out=holds_key, stop=stop)


class Neighbours:
    """Indexes of files, by root and language."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._roots: tuple[Path, ...] = ()
        self._rules = IgnoreRules()
        self._made: OrderedDict[Key, _Made] = OrderedDict()
        self._waiting: OrderedDict[Key, Path] = OrderedDict()
        self._turn = 0
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

    def forget(self) -> None:
        """Drop every index, and what is still to be read."""
        with self._changed:
            self._forget()

    def stale(self) -> None:
        """Files have changed: what is wanted next is read again."""
        self._turn += 1

    def around(self, file: Path) -> LineIndex | None:
        """What is known of the files around `file`; None before they have been read once.

        They are read, in the background, when they have not been, or were before a change.
        """
        file = Path(os.path.realpath(file))
        language = language_for_path(file)
        root = self._root_of(file)
        if root is None or language == TEXT or self._closed:
            return None
        key = (root, language)
        with self._changed:
            made = self._made.get(key)
            if made is None or not made.serves(file, self._turn):
                self._want(key, file)
            return made.index if made is not None else None

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

    def _want(self, key: Key, file: Path) -> None:
        self._waiting.pop(key, None)
        self._waiting[key] = file
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
                key, file = self._waiting.popitem(last=False)
                rules, turn = self._rules, self._turn
                self._busy = True
            try:
                rules.forget()  # an ignore file may have changed since
                index, whole = read(file, key[0], rules, self._gone(rules))
            except Exception:
                # A border, as the engine's thread is one: a mistake of ours must not end it.
                logger.exception("the files around a document could not be read")
                continue
            with self._changed:
                if rules is self._rules and not self._closed:
                    self._made.pop(key, None)
                    self._made[key] = _Made(index, file.parent, whole, turn, time.monotonic())
                    if len(self._made) > MOST_INDEXES:
                        self._made.popitem(last=False)
