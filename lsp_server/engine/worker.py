"""One inference thread around a model that is loaded on first use.

Invariants: the model is loaded and called on this thread only, one request at a time, in the
order of arrival; a request whose token is set before its turn is never started, is answered at
once and lets go of its text; whatever loading or filling raises ends in that request's future and
never ends the thread; work ahead of need is dropped as soon as a request arrives that has no use
for it, and never loads a model; what a cancelled request has begun to encode may go on for the next
one (`encoding`). A model with another adapter is loaded beside the one at hand (`loading`) and
takes its place between two requests; any other configuration is made ready at once, unless nobody
has asked for anything yet; what could not be loaded is tried again when `configure` says so. A
request at which a GPU fails is answered by the processor, which serves from then on. When nothing
has come for a while, memory that requests have freed goes back to the system, once.

The thread is our own and a daemon: pygls reads stdin from its pool, which inference must not
fill, and the threads of a `ThreadPoolExecutor` are joined at interpreter exit, which would hang
an editor's shutdown on a model that is still being imported.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import AdapterError
from diffusion.heap import give_back_freed_memory
from lsp_server.engine.encoding import Encoding, Newest
from lsp_server.engine.engine import (
    EngineAnswer,
    EngineConfig,
    EngineRequest,
    EngineRewriteAnswer,
    EngineRewriteRequest,
    EngineScoreAnswer,
    EngineScoreRequest,
    EngineState,
    EngineStatus,
    Filler,
    Load,
)
from lsp_server.engine.jobs import Ahead, Job, overtake_when_cancelled
from lsp_server.engine.loading import Beside, LoadsBeside, why_not
from lsp_server.engine.tasks import (
    EngineAlternativesAnswer,
    EngineAlternativesRequest,
    EngineFillAnswer,
    EngineFillRequest,
    OnDraft,
)
from lsp_server.errors import DeviceFailed, EngineUnavailable

logger = logging.getLogger(__name__)
StateListener = Callable[[EngineStatus], None]
Answer = TypeVar("Answer")

_REST_AFTER_S = 2.0
"""Without a request; a burst of typing has shorter pauses."""


class WorkerEngine:
    """An `Engine` whose model is made by `load`."""

    def __init__(
        self,
        load: Load,
        *,
        rest: Callable[[], object] = give_back_freed_memory,
        rest_after_s: float = _REST_AFTER_S,
    ) -> None:
        self._load = load
        self._beside = LoadsBeside(load)
        self._rest, self._rest_after_s = rest, rest_after_s
        self._config = EngineConfig()
        self._on_state: StateListener | None = None
        self._jobs: queue.SimpleQueue[Job | Ahead | Beside | None] = queue.SimpleQueue()
        self._ahead = CancelToken()
        self._newest = Newest()
        self._filler: Filler | None = None
        self._loaded_config: EngineConfig | None = None
        self._status = EngineStatus(EngineState.IDLE)
        self._wanted = self._config
        self._lost_device = ""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def listen(self, on_state: StateListener) -> None:
        """Hear of every change of state, on the thread that made it."""
        self._on_state = on_state

    def preload(self) -> None:
        if self._status.state is EngineState.IDLE:
            self._put(None)

    def submit(self, request: EngineRequest, cancel: CancelToken) -> Future[EngineAnswer]:
        encoding = Encoding(request, cancel, self._newest)
        return self._submit(
            lambda filler: filler.infill(request, cancel, encoding), cancel, request
        )

    def submit_rewrite(
        self,
        request: EngineRewriteRequest,
        cancel: CancelToken,
        on_draft: OnDraft | None = None,
    ) -> Future[EngineRewriteAnswer]:
        return self._submit(lambda filler: filler.rewrite(request, cancel, on_draft), cancel)

    def submit_fill(
        self, request: EngineFillRequest, cancel: CancelToken, on_draft: OnDraft | None = None
    ) -> Future[EngineFillAnswer]:
        return self._submit(lambda filler: filler.fill(request, cancel, on_draft), cancel)

    def submit_alternatives(
        self, request: EngineAlternativesRequest, cancel: CancelToken
    ) -> Future[EngineAlternativesAnswer]:
        return self._submit(lambda filler: filler.alternatives(request, cancel), cancel)

    def submit_score(
        self, request: EngineScoreRequest, cancel: CancelToken
    ) -> Future[EngineScoreAnswer]:
        return self._submit(lambda filler: filler.score(request, cancel), cancel)

    def _submit(
        self,
        call: Callable[[Filler], Answer],
        cancel: CancelToken,
        request: EngineRequest | None = None,
    ) -> Future[Answer]:
        job = Job(call, cancel)
        future: Future[Answer] = job.future
        if self._status.state is EngineState.CLOSED:
            future.set_exception(EngineUnavailable("the engine is closed"))
        else:
            self._newest.comes(request, future)
            self._ahead.cancel("superseded")
            self._put(job)
            overtake_when_cancelled(job)
        return future

    def ahead(self, requests: Sequence[EngineRequest]) -> None:
        self._ahead.cancel("superseded")
        if self._status.state is not EngineState.READY:
            return
        self._ahead = token = CancelToken()
        for request in requests:
            self._put(Ahead(request, token, Encoding(request, token, self._newest)))

    def foresee(self, request: EngineRequest) -> Future[EngineAnswer]:
        token, answer = self._ahead, Future[EngineAnswer]()
        if token.is_cancelled or self._status.state is not EngineState.READY:
            answer.cancel()
        else:
            self._put(Ahead(request, token, Encoding(request, token, self._newest), answer))
        return answer

    def status(self) -> EngineStatus:
        return replace(self._status, queue=self._jobs.qsize())

    def configure(self, config: EngineConfig, *, again: bool = False) -> None:
        with self._lock:
            if config == self._wanted and not (again and self._has_failed()):
                return
            self._wanted = config
            is_ready = self._filler is not None and self._loaded_config == self._config
            goes_on = is_ready and self._config.bare() == config.bare()
            if not goes_on:
                self._config, self._lost_device = config, ""
                if self._status.state is EngineState.FAILED:
                    self._loaded_config = None
        if goes_on and config != self._config:
            self._beside.begin(config, self._placed(config), self._put, self._not_beside)
            return
        self._beside.drop()
        if goes_on and self._status.problem != self._lost_device:
            self._change(replace(self._status, problem=self._lost_device))
        elif not goes_on:
            if self._status.state is EngineState.FAILED:
                self._change(EngineStatus(EngineState.IDLE))
            if self._thread is not None:
                self._jobs.put(None)

    def _has_failed(self) -> bool:
        """Whether what is wanted could not be loaded: the model, or its adapter."""
        status = self._status
        if status.state is EngineState.READY:
            return status.problem not in ("", self._lost_device)
        return status.state is EngineState.FAILED

    def _not_beside(self, config: EngineConfig, why: str) -> None:
        """A model could not be loaded beside the one at hand, which goes on to serve."""
        if self._wanted == config:
            self._change(replace(self._status, problem=why))

    def _swap(self, there: Beside) -> None:
        with self._lock:
            if self._wanted != there.config:
                return  # another one was asked for meanwhile
            self._filler = there.filler
            self._config = self._loaded_config = there.config
        self._change(
            EngineStatus(
                EngineState.READY, "", there.filler.model, load_ms=there.load_ms,
                adapter=there.config.adapter, adapter_sha256=there.config.adapter_sha256,
                problem=self._lost_device,
            )
        )  # fmt: skip

    def close(self) -> None:
        self._newest.request = None
        self._ahead.cancel("shutting down")
        self._beside.drop()
        self._change(EngineStatus(EngineState.CLOSED))
        self._jobs.put(None)

    def join(self, timeout_s: float) -> bool:
        due_s = time.monotonic() + timeout_s
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                return False
        return self._beside.join(max(0.0, due_s - time.monotonic()))

    def _put(self, job: Job | Ahead | Beside | None) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="diffill-inference", daemon=True
                )
                self._thread.start()
        self._jobs.put(job)

    def _run(self) -> None:
        worked = False
        while True:
            job = self._next(worked)
            worked = job is not None
            if self._status.state is EngineState.CLOSED:
                if isinstance(job, Job) and job.take() is not None:
                    job.future.set_exception(EngineUnavailable("the engine is closed"))
                if self._jobs.empty():
                    return
            elif job is None:
                self._ready()
            elif isinstance(job, Beside):
                self._swap(job)
            elif isinstance(job, Ahead):
                self._prepare(job)
            else:
                self._answer(job)
                self._newest.done(job.future)

    def _next(self, worked: bool) -> Job | Ahead | Beside | None:
        """The next job. After work, if none comes for a while, there is a rest first."""
        if worked:
            try:
                return self._jobs.get(timeout=self._rest_after_s)
            except queue.Empty:
                self._rest()
        return self._jobs.get()

    def _answer(self, job: Job) -> None:
        call = job.take()
        if call is None:
            return
        try:
            job.cancel.raise_if_cancelled()
            filler = self._ready()
            if filler is None:
                raise EngineUnavailable(self._status.detail)
            job.cancel.raise_if_cancelled()
            try:
                answer = call(filler)
            except DeviceFailed as failed:
                answer = call(self._on_processor(failed))
        except Cancelled as cancelled:
            # Its frames hold what the model had under way, and, by way of this job, itself: with
            # them, tens of megabytes would wait for the garbage collector at every key.
            job.future.set_exception(cancelled.with_traceback(None))
        except BaseException as error:
            job.future.set_exception(error)
            if not isinstance(error, Exception):
                logger.error("the inference thread was asked to stop by %s", type(error).__name__)
        else:
            job.future.set_result(answer)

    def _on_processor(self, failed: DeviceFailed) -> Filler:
        """The model anew, on the processor. Raises EngineUnavailable where it cannot be loaded."""
        logger.error("%s", failed)
        self._lost_device, self._loaded_config = str(failed), None
        filler = self._ready()
        if filler is None:
            raise EngineUnavailable(self._status.detail)
        return filler

    def _placed(self, config: EngineConfig) -> EngineConfig:
        """`config`, without a GPU that has failed."""
        return replace(config, device="cpu") if self._lost_device else config

    def _prepare(self, job: Ahead) -> None:
        filler, request, cancel, encoding = self._filler, job.request, job.cancel, job.encoding
        try:
            if filler is None or self._loaded_config != self._config or cancel.is_cancelled:
                pass
            elif job.answer is None:
                filler.prepare(request, encoding)
            else:
                job.answer.set_result(filler.foresee(request, cancel, encoding))
        except (Cancelled, DeviceFailed):
            pass  # the request itself finds the device as it is
        except Exception:
            # One of the broad catches of the engine's thread: nobody waits for this, and the
            # request itself will tell its owner what is wrong.
            logger.exception("work ahead of need failed")
        finally:
            if job.answer is not None:
                job.answer.cancel()  # unless there is one

    def _ready(self) -> Filler | None:
        """The loaded model, loading it first if need be; None where loading failed."""
        config = self._config
        if self._loaded_config == config:
            return self._filler
        self._filler, self._loaded_config = None, config
        self._change(EngineStatus(EngineState.LOADING, model=config.model_path))
        begun = time.perf_counter()
        problem, placed = self._lost_device, self._placed(config)
        try:
            try:
                filler = self._load(placed)
            except AdapterError as error:
                # A bad adapter must cost nobody the completions of the base model.
                problem = why_not(f"the adapter {config.adapter} is not served", error)
                filler = self._load(placed.bare())
                config = self._without_adapter(config)
        except Exception as error:
            what = f"the model {config.model_path or 'that is bundled'} could not be loaded"
            why = f"{why_not(what, error)} (tried again when settings change, and by a restart)"
            self._change(EngineStatus(EngineState.FAILED, why))
            return None
        self._filler = filler
        load_ms = 1000 * (time.perf_counter() - begun)
        self._change(
            EngineStatus(
                EngineState.READY, "", filler.model, load_ms=load_ms,
                adapter=config.adapter, adapter_sha256=config.adapter_sha256, problem=problem,
            )
        )  # fmt: skip
        return filler

    def _without_adapter(self, config: EngineConfig) -> EngineConfig:
        """What is loaded instead of `config`, whose adapter was refused; it may be chosen anew."""
        base = config.bare()
        with self._lock:
            if self._config is config:
                self._config = base
            self._loaded_config = base
        return base

    def _change(self, status: EngineStatus) -> None:
        if self._status.state is EngineState.CLOSED:
            return
        self._status = status
        if self._on_state is not None:
            self._on_state(status)
