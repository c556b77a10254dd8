"""Models that are loaded beside the one that is served, each on a thread of its own.

Invariants: whatever a load raises ends in a sentence for people and a line in the log, and never
goes further; what is being loaded cannot be interrupted, and the process must not end around it,
so that `join` says whether anything still is.
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


class LoadsBeside:
    """Loads models with `load`, and says which of them are not there yet."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._threads: list[threading.Thread] = []

    def begin(
        self,
        config: EngineConfig,
        placed: EngineConfig,
        loaded: Callable[[Beside], None],
        failed: Callable[[EngineConfig, str], None],
    ) -> None:
        """Load the model of `config`, as `placed` has it; one of the two hears of it, over there.

        Called by one thread only.
        """

        def work() -> None:
            begun = time.perf_counter()
            try:
                filler = self._load(placed)
            except Exception as error:
                # A border, too: whatever a load raises, the model at hand goes on to serve.
                failed(config, why_not(f"the adapter {config.adapter} is not served", error))
            else:
                loaded(Beside(filler, config, 1000 * (time.perf_counter() - begun)))

        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name="diffill-reload", daemon=True)
        self._threads.append(thread)
        thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for what is being loaded; whether all of it came to an end in time."""
        due_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, due_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


def why_not(what: str, error: Exception) -> str:
    """Log `what` could not be loaded; the reason for people, which names the thing and the fix."""
    if isinstance(error, (DiffillError, ServerError)):
        logger.error("%s: %s", what, error)
        return str(error)
    logger.error("%s", what, exc_info=error)
    return f"{type(error).__name__}: {error}"
