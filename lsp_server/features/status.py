"""`diffill/status` and its push, `diffill/statusDidChange`; progress while a model loads.

Pushed is what changes it: the engine's state, settings, another adapter, a pause. The push goes to
clients that announce `experimental.diffillStatus`, since some editors warn of notifications they do
not know.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import statistics
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.engine.engine import EngineState, EngineStatus
from lsp_server.engine.worker import WorkerEngine
from lsp_server.features import suspicious
from lsp_server.protocol import STATUS, STATUS_DID_CHANGE
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
_KINDS = {
    EngineState.IDLE: "Normal",
    EngineState.LOADING: "Loading",
    EngineState.READY: "Normal",
    EngineState.FAILED: "Error",
    EngineState.CLOSED: "Inactive",
}
_NOTHING = ("", "", "")
"""The model and the adapter that are served before any is."""


def report(ls: DiffillServer) -> dict[str, Any]:
    """The state of the server, for a status bar."""
    session = ls.session
    engine = session.engine.status()
    kind, message = _KINDS[engine.state], engine.detail or f"model {engine.state.value}"
    if not session.settings.enable:
        kind, message = "Inactive", "diffill.enable is off"
    elif (paused := session.pause.reason(automatic=True)) is not None:
        kind, message = "Inactive", _said(paused, session.pause.snooze_left_s())
    times = session.traces.latencies_ms()
    last = session.traces.last()
    return {
        "kind": kind,
        "message": message,
        "engine": engine.state.value,
        "model": engine.model,
        "loadMs": round(engine.load_ms),
        "queue": engine.queue,
        "p50": round(statistics.median(times), 1) if times else None,
        "p95": round(sorted(times)[math.ceil(0.95 * len(times)) - 1], 1) if times else None,
        "snoozedForS": round(session.pause.snooze_left_s()),
        # Of one that is under way nobody knows yet.
        "reason": last.message if last is not None and last.reason is not None else None,
        "problems": [str(problem) for problem in session.problems],
        # What is served, not what was chosen: that may have been refused.
        "adapter": Path(engine.adapter).name or None,
        "adapterProblem": engine.problem or session.adapter.problem,
    }


def _said(paused: Reason, left_s: float) -> str:
    if paused is not Reason.SNOOZED:
        return SENTENCES[paused]
    return f"suggestions are snoozed: {math.ceil(left_s / 60)} min left"


def status(ls: DiffillServer, params: Any) -> dict[str, Any]:
    return report(ls)


def push(ls: DiffillServer) -> None:
    """Send the status to a client that asked for it."""
    if _wants_status(ls) and not ls.protocol.is_shut_down:
        ls.protocol.notify(STATUS_DID_CHANGE, report(ls))


class _Loading:
    """Shows the engine's states to the client; lives on the event loop."""

    def __init__(self, server: DiffillServer) -> None:
        self._server = server
        self._token: str | None = None
        self._served = _NOTHING
        self._tasks: set[asyncio.Task[None]] = set()

    def changed(self, status: EngineStatus) -> None:
        server = self._server
        if server.protocol.is_shut_down:
            return
        served = (status.model, status.adapter, status.adapter_sha256)
        if status.state is EngineState.READY and served != self._served:
            first, self._served = self._served == _NOTHING, served
            if not first:
                server.session.forget_answers()
                suspicious.look_again(server)
        push(server)
        if status.state is EngineState.FAILED:
            text = f"Diffill has no model: {status.detail}"
            server.window_show_message(types.ShowMessageParams(types.MessageType.Error, text))
        if _wants_progress(server):
            task = asyncio.ensure_future(self._progress(status))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _progress(self, status: EngineStatus) -> None:
        progress = self._server.work_done_progress
        if status.state is EngineState.LOADING and self._token is None:
            self._token = token = f"diffill-load-{uuid.uuid4()}"
            with contextlib.suppress(JsonRpcException):
                await progress.create_async(token)
                progress.begin(token, types.WorkDoneProgressBegin(title="Diffill: loading model"))
                if self._token != token:  # loaded before the client agreed to a bar
                    progress.end(token, types.WorkDoneProgressEnd())
        elif status.state in (EngineState.READY, EngineState.FAILED) and self._token is not None:
            token, self._token = self._token, None
            if token in progress.tokens:
                progress.end(token, types.WorkDoneProgressEnd())


def _wants_status(server: DiffillServer) -> bool:
    experimental = server.client_capabilities.experimental
    if isinstance(experimental, dict):
        return bool(experimental.get("diffillStatus"))
    return bool(getattr(experimental, "diffillStatus", False))


def _wants_progress(server: DiffillServer) -> bool:
    window = server.client_capabilities.window
    return bool(window and window.work_done_progress)


def watch(server: DiffillServer) -> None:
    """Follow settings and the engine's states from now on; call it on the event loop."""
    server.session.settings_listeners.append(partial(push, server))
    engine = server.session.engine
    if not isinstance(engine, WorkerEngine):
        return
    loop, loading = asyncio.get_running_loop(), _Loading(server)

    def on_state(status: EngineStatus) -> None:  # on the inference thread
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            loop.call_soon_threadsafe(loading.changed, status)

    engine.listen(on_state)


def register(server: DiffillServer) -> None:
    server.feature(STATUS)(status)
