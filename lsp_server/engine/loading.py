"""Models that are loaded beside the one that is served, on a thread of their own.

Invariants: at most one is being loaded, since each takes the memory of a model, and only the one
that was wanted last is loaded after it; whatever a load raises ends in a sentence for people and a
line in the log, and never goes further; what is being loaded cannot be interrupted, and the process
must not end around it, so that `join` says whether anything still is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from diffusion.errors import DiffillError
from lsp_server.engine.engine import EngineConfig, Filler, Load
from lsp_server.errors import ServerError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Beside:
    """A model that was loaded beside the one that is served, to take its place."""

    filler: Filler
    config: EngineConfig
    load_ms: float


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model to be loaded, and who hears of it."""

    config: EngineConfig
    placed: EngineConfig
    loaded: Callable[[Beside], None]
    failed: Callable[[EngineConfig, str], None]


class LoadsBeside:
    """Loads models with `load`, one after the other; of those that wait, the newest alone."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._now: _Wanted | None = None
        self._next: _Wanted | None = None

    def begin(
        self,
        config: EngineConfig,
        placed: EngineConfig,
        loaded: Callable[[Beside], None],
        failed: Callable[[EngineConfig, str], None],
    ) -> None:
        """Load the model of `config`, as `placed` has it, unless another one is wanted first.

        One of the two hears of it, on another thread.
        """
        wanted = _Wanted(config, placed, loaded, failed)
        with self._lock:
            self._next = None if wanted == self._now else wanted
            if self._next is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="diffill-reload", daemon=True
                )
                self._thread.start()

    def drop(self) -> None:
        """Nothing more is wanted; what is being loaded comes to its end."""
        with self._lock:
            self._next = None

    def join(self, timeout_s: float) -> bool:
        """Wait for what is being loaded; whether it came to an end in time."""
        thread = self._thread
        if thread is None:
            return True
        thread.join(timeout_s)
        return not thread.is_alive()

    def _run(self) -> None:
        while (wanted := self._take()) is not None:
            self._work(wanted)

    def _take(self) -> _Wanted | None:
        with self._lock:
            self._now, self._next = self._next, None
            if self._now is None:
                self._thread = None
            return self._now

    def _work(self, wanted: _Wanted) -> None:
        begun, config = time.perf_counter(), wanted.config
        try:
            filler = self._load(wanted.placed)
        except Exception as error:
            # A border, too: whatever a load raises, the model at hand goes on to serve.
            why = why_not(f"the adapter {config.adapter} is not served", error)
            self._now = None  # before anybody hears of it and wants it again
            wanted.failed(config, why)
        else:
            self._now = None
            wanted.loaded(Beside(filler, config, 1000 * (time.perf_counter() - begun)))


def why_not(what: str, error: Exception) -> str:
    """Log `what` could not be loaded; the reason for people, which names the thing and the fix."""
    if isinstance(error, (DiffillError, ServerError)):
        logger.error("%s: %s", what, error)
        return str(error)
    logger.error("%s", what, exc_info=error)
    return f"{type(error).__name__}: {error}"
