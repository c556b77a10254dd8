"""The inference thread: order, cancellation, failure, shutdown. And scripts."""

from __future__ import annotations

import gc
import json
import os
import queue
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import CheckpointError, DiffillError
from lsp_server.engine.engine import (
    EngineAnswer,
    EngineConfig,
    EngineRequest,
    EngineState,
    EngineStatus,
)
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.engine.tasks import EngineDraft, EngineFillRequest
from lsp_server.engine.worker import WorkerEngine
from lsp_server.errors import DeviceFailed, EngineUnavailable, ScriptError
from tests.support.lsp_wire import WAIT_S, answer, scripted

REQUEST = EngineRequest(b"x = ", 4, "python")


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    engine = scripted([answer("1", steps=10)], gated=True)
    yield engine
    engine.close()
    engine.filler.release(1000)
    assert engine.join(WAIT_S)


def submit(engine: WorkerEngine, token: CancelToken | None = None) -> Future[EngineAnswer]:
    return engine.submit(REQUEST, token or CancelToken())


def test_nothing_runs_before_the_first_request() -> None:
    engine = scripted()
    assert engine.status().state is EngineState.IDLE
    assert engine._thread is None
    engine.close()
    assert engine.join(WAIT_S)


def test_a_request_loads_and_is_answered(engine: ScriptedEngine) -> None:
    engine.filler.release(10)
    result = submit(engine).result(WAIT_S)
    assert [candidate.text for candidate in result.candidates] == ["1"]
    assert (result.start, result.end, result.steps) == (4, 4, 10)
    status = engine.status()
    assert (status.state, status.model, status.queue) == (EngineState.READY, "scripted", 0)


def test_a_set_token_stops_the_work_at_the_next_step(engine: ScriptedEngine) -> None:
    stepped = threading.Semaphore(0)
    engine.filler.on_event = lambda event: stepped.release() if event["event"] == "step" else None
    token = CancelToken()
    future = submit(engine, token)
    engine.filler.release(2)
    assert stepped.acquire(timeout=WAIT_S) and stepped.acquire(timeout=WAIT_S)
    token.cancel("superseded")
    engine.filler.release(1)
    with pytest.raises(Cancelled, match="superseded"):
        future.result(WAIT_S)
    assert engine.filler.steps == 2


class _UnderWay:
    """What a model holds while it works: tens of megabytes."""


def test_what_a_cancelled_request_had_under_way_is_given_back_at_once() -> None:
    """Not when the garbage collector comes by: requests are cancelled at every key."""
    alive: list[weakref.ref[_UnderWay]] = []

    class Cancelling:
        model = "cancelling"

        def infill(
            self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
        ) -> EngineAnswer:
            under_way = _UnderWay()
            alive.append(weakref.ref(under_way))
            cancel.cancel("overtaken")
            cancel.raise_if_cancelled()
            raise AssertionError("it was cancelled")

    engine = WorkerEngine(lambda config: Cancelling())  # type: ignore[arg-type, return-value]
    gc.collect()
    gc.disable()
    try:
        future = submit(engine)
        with pytest.raises(Cancelled, match="overtaken"):
            future.result(WAIT_S)
        assert alive[0]() is None
    finally:
        gc.enable()
        engine.close()
        assert engine.join(WAIT_S)


def test_a_request_cancelled_in_the_queue_is_never_started(engine: ScriptedEngine) -> None:
    first, token = submit(engine), CancelToken()
    second, third = submit(engine, token), submit(engine)
    token.cancel("stale")
    engine.filler.release(20)
    assert first.result(WAIT_S).candidates
    with pytest.raises(Cancelled, match="stale"):
        second.result(WAIT_S)
    assert third.result(WAIT_S).candidates
    assert engine.filler.requests == 2


def test_what_is_overtaken_while_the_model_loads_is_answered_at_once_and_let_go() -> None:
    """A second of typing in a large file would keep a copy of it for every key."""
    loading, loaded = threading.Event(), threading.Event()

    def load(config: EngineConfig) -> None:
        loading.set()
        assert loaded.wait(WAIT_S)

    engine = ScriptedEngine(scripted([answer("1")]).filler, load=load)
    engine.preload()
    assert loading.wait(WAIT_S)
    kept, tokens = [], [CancelToken() for _ in range(3)]
    futures = []
    for token in tokens:
        watched = _UnderWay()  # bytes cannot be
        kept.append(weakref.ref(watched))
        request = EngineRequest(b"x = ", 4, "python", repository=watched)  # type: ignore[arg-type]
        futures.append(engine.submit(request, token))
        del watched, request
    for token in tokens[:2]:
        token.cancel("superseded")
    for future in futures[:2]:
        with pytest.raises(Cancelled, match="superseded"):
            future.result(0)
    assert [ref() is None for ref in kept] == [True, True, False]
    loaded.set()
    assert futures[2].result(WAIT_S).candidates
    engine.close()
    assert engine.join(WAIT_S)


def test_a_failing_fill_does_not_end_the_thread() -> None:
    engine = scripted([answer("1", before="= "), answer(error="no luck")])
    with pytest.raises(DiffillError, match="no luck"):
        engine.submit(EngineRequest(b"", 0, "python"), CancelToken()).result(WAIT_S)
    assert submit(engine).result(WAIT_S).candidates
    engine.close()
    assert engine.join(WAIT_S)


def test_a_model_that_does_not_load_is_said_once_and_tried_again_when_configured() -> None:
    loads: list[str] = []
    heard: list[EngineStatus] = []

    def load(config: EngineConfig) -> None:
        loads.append(config.model_path)
        if config.model_path != "/good":
            raise CheckpointError("model.safetensors is truncated", fix="copy it again")

    inner = scripted([answer("1")]).filler
    engine = ScriptedEngine(inner, load=load)
    engine.listen(heard.append)
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="is truncated; copy it again"):
            submit(engine).result(WAIT_S)
    assert loads == [""]
    assert engine.status().state is EngineState.FAILED
    engine.configure(EngineConfig("/good"))
    assert submit(engine).result(WAIT_S).candidates
    assert loads == ["", "/good"]
    states = [status.state.value for status in heard]
    assert states == ["loading", "failed", "idle", "loading", "ready"]
    engine.close()
    assert engine.join(WAIT_S)


def test_an_unexpected_error_while_loading_is_told_by_its_kind() -> None:
    def load(config: EngineConfig) -> None:
        raise MemoryError("cannot allocate")

    engine = ScriptedEngine(scripted().filler, load=load)
    with pytest.raises(EngineUnavailable, match="MemoryError: cannot allocate"):
        submit(engine).result(WAIT_S)
    engine.close()
    assert engine.join(WAIT_S)


class _OnGpu:
    """A filler whose device is gone."""

    model = "on the GPU"

    def infill(
        self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
    ) -> EngineAnswer:
        raise DeviceFailed("the model ran on cuda, which failed")


def test_where_a_gpu_fails_the_processor_answers_and_serves_on() -> None:
    devices: list[str] = []

    def load(config: EngineConfig) -> Any:
        devices.append(config.device)
        return scripted([answer("1")]).filler if config.device == "cpu" else _OnGpu()

    engine = WorkerEngine(load)
    config = EngineConfig("/model", adapter="/adapters/one")
    engine.configure(config)
    for _ in range(2):
        assert submit(engine).result(WAIT_S).candidates, "the request that met it is answered, too"
    assert devices == ["auto", "cpu"]
    status = engine.status()
    assert (status.state, status.adapter) == (EngineState.READY, "/adapters/one")
    assert status.problem == "the model ran on cuda, which failed"
    engine.configure(replace(config, device="cuda"))
    assert submit(engine).result(WAIT_S).candidates
    assert devices == ["auto", "cpu", "cuda", "cpu"], "who sets it anew asks for another try"
    engine.close()
    assert engine.join(WAIT_S)


def test_preload_loads_once() -> None:
    loads: list[EngineConfig] = []
    ready = threading.Event()
    engine = ScriptedEngine(scripted([answer("1")]).filler, load=loads.append)
    engine.listen(lambda status: ready.set() if status.state is EngineState.READY else None)
    engine.preload()
    assert ready.wait(WAIT_S)
    engine.preload()
    submit(engine).result(WAIT_S)
    assert len(loads) == 1
    engine.close()
    assert engine.join(WAIT_S)


def test_after_close_requests_are_refused_and_the_queue_is_emptied(engine: ScriptedEngine) -> None:
    token = CancelToken()
    running, queued = submit(engine, token), submit(engine)
    engine.close()
    token.cancel("shuttingDown")
    engine.filler.release(1)
    with pytest.raises(EngineUnavailable):
        submit(engine).result(WAIT_S)
    with pytest.raises(EngineUnavailable):
        queued.result(WAIT_S)
    with pytest.raises((Cancelled, EngineUnavailable)):
        running.result(WAIT_S)
    assert engine.status().state is EngineState.CLOSED


def test_a_script_answers_by_what_surrounds_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(
        '{"answers": [{"before": "x = ", "language": "go", "candidates": [{"text": "go"}]},'
        '{"before": "x = ", "after": ")", "replace": 1, "candidates": [{"text": "1)"}]},'
        '{"before": "x = ", "candidates": [{"text": "1", "score": 0.5, "parses": false}]}]}'
    )
    engine = ScriptedEngine.from_file(path)
    results = [
        engine.submit(request, CancelToken()).result(WAIT_S)
        for request in (
            REQUEST,
            EngineRequest(b"x = )", 4, "python"),
            EngineRequest(b"x = ", 4, "go"),
            EngineRequest(b"y", 1, "python"),
        )
    ]
    assert [[c.text for c in result.candidates] for result in results] == [
        ["1"],
        ["1)"],
        ["go"],
        [],
    ]
    assert (results[0].candidates[0].score, results[0].candidates[0].parses) == (0.5, False)
    assert (results[1].start, results[1].end) == (4, 5)
    assert results[3].reason == "the script has no answer for this place"
    engine.close()
    assert engine.join(WAIT_S)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"answers": [{"colour": 1}]}', '{"answers": [3]}', '{"gate": "/nowhere"}'],
)
def test_a_bad_script_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(text)
    with pytest.raises(ScriptError, match=r"script\.json is no script"):
        ScriptedEngine.from_file(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_byte_in_the_gate_is_a_step(tmp_path: Path) -> None:
    gate, path = tmp_path / "gate", tmp_path / "script.json"
    os.mkfifo(gate)
    answers = [{"steps": 3, "candidates": [{"text": "one two three"}]}]
    path.write_text(json.dumps({"answers": answers, "gate": str(gate)}))
    engine = ScriptedEngine.from_file(path)
    drafts: queue.Queue[EngineDraft] = queue.Queue()
    request = EngineFillRequest(b"x = ___", "python", holes=((4, 7),))
    filled = engine.submit_fill(request, CancelToken(), drafts.put)
    with gate.open("wb", buffering=0) as permits:
        for pieces in (("one", 2), ("one two", 1)):
            permits.write(b".")
            assert drafts.get(timeout=WAIT_S).pieces == (pieces,)
        assert drafts.empty() and not filled.done()
        permits.write(b".")
        assert filled.result(WAIT_S).fills[0].texts == ("one two three",)
    engine.close()
    assert engine.join(WAIT_S)


def prepared(engine: ScriptedEngine) -> list[bytes]:
    return [request.text for request in engine.filler.prepared]


def test_work_ahead_of_need_is_done_in_order_when_nobody_waits(engine: ScriptedEngine) -> None:
    engine.filler.release(100)
    submit(engine).result(WAIT_S)
    engine.ahead([EngineRequest(text, 0, "python") for text in (b"a", b"b")])
    submit(engine).result(WAIT_S)  # answered after both, or instead of them
    assert prepared(engine) in ([], [b"a"], [b"a", b"b"])
    told = threading.Semaphore(0)
    engine.filler.on_event = lambda event: told.release() if event["event"] == "prepared" else None
    engine.ahead([EngineRequest(text, 0, "python") for text in (b"c", b"d")])
    assert told.acquire(timeout=WAIT_S) and told.acquire(timeout=WAIT_S)
    assert prepared(engine)[-2:] == [b"c", b"d"]


def test_a_request_takes_the_place_of_work_ahead(engine: ScriptedEngine) -> None:
    engine.filler.release(10)
    submit(engine).result(WAIT_S)
    engine.ahead([EngineRequest(text, 0, "python") for text in (b"a", b"b")])
    future = submit(engine)
    engine.filler.release(100)  # the first of them may have begun; it notices here
    assert future.result(WAIT_S).candidates
    assert prepared(engine) == []


def test_nothing_is_done_ahead_before_a_model_is_loaded(engine: ScriptedEngine) -> None:
    engine.ahead([REQUEST])
    assert engine._thread is None
    assert prepared(engine) == []


def test_a_failure_ahead_of_need_is_logged_and_ends_nothing(
    engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: EngineRequest, cancel: CancelToken) -> None:
        raise DiffillError("no luck")

    engine.filler.release(100)
    submit(engine).result(WAIT_S)
    failed = threading.Event()
    monkeypatch.setattr(engine.filler, "prepare", broken)
    monkeypatch.setattr("lsp_server.engine.worker.logger.exception", lambda *args: failed.set())
    engine.ahead([REQUEST])
    assert failed.wait(WAIT_S)
    assert submit(engine).result(WAIT_S).candidates


def test_after_work_there_is_one_rest() -> None:
    rests: list[int] = []
    rested = threading.Semaphore(0)

    def rest() -> None:
        rests.append(1)
        rested.release()

    filler = scripted([answer("1")]).filler
    engine = WorkerEngine(lambda _config: filler, rest=rest, rest_after_s=0.001)
    engine.preload()
    for number in (1, 2):
        assert submit(engine).result(WAIT_S).candidates
        assert rested.acquire(timeout=WAIT_S)
        assert len(rests) == number
    engine.close()
    assert engine.join(WAIT_S)
    assert len(rests) == 2
