"""What waits for the inference thread: requests, and work ahead of need.

Invariants: the future of a job is settled once, by the thread that takes it or by its cancel; a job
that is overtaken lets go of its text, and nothing but the queue holds one.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from diffusion.cancel import Cancelled, CancelToken
from lsp_server.engine.encoding import Encoding
from lsp_server.engine.engine import EngineAnswer, EngineRequest, Filler


class Job:
    """A request in the queue. Whoever takes it, the worker or a cancel, settles its future."""

    def __init__(self, call: Callable[[Filler], Any], cancel: CancelToken) -> None:
        self.future: Future[Any] = Future()
        self.cancel = cancel
        self._call: Callable[[Filler], Any] | None = call
        self._lock = threading.Lock()

    def take(self) -> Callable[[Filler], Any] | None:
        """What is to be done, for the first who asks; with it goes the request's text."""
        with self._lock:
            call, self._call = self._call, None
        if call is None or not self.future.set_running_or_notify_cancel():
            return None
        return call

    def overtaken(self) -> None:
        """Answer now: nobody waits for what a model that is still loading would say."""
        if self.take() is not None:
            self.future.set_exception(Cancelled(self.cancel.reason))


@dataclass(frozen=True, slots=True)
class Ahead:
    """A context to be encoded ahead of need or, with an `answer`, a request to be answered."""

    request: EngineRequest
    cancel: CancelToken
    encoding: Encoding
    answer: Future[EngineAnswer] | None = None


def overtake_when_cancelled(job: Job) -> None:
    """Have a job answered as soon as its token is set, even while a model is being loaded."""
    job.cancel.listen(partial(_overtake, weakref.ref(job)))


def _overtake(job: weakref.ref[Job]) -> None:
    if (there := job()) is not None:
        there.overtaken()
