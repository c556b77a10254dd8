"""A new adapter takes its place between two requests; a bad one never does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from lsp_server.engine.engine import (
    EngineConfig,
    EngineState,
)
from lsp_server.engine.scripted import ScriptedEngine, ScriptedFiller
from lsp_server.engine.worker import WorkerEngine
from tests.support.loaders import Models, Places, Served
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer


def test_an_adapter_is_loaded_beside_what_is_served(served: Served, models: Models) -> None:
    assert served.text() == "base"
    models.gate.clear()
    served.engine.configure(EngineConfig(adapter="one"))
    assert [served.text() for _ in range(3)] == ["base"] * 3, "no request waits for the new one"
    models.gate.set()
    assert served.until(adapter="one").model == "one"
    assert served.text() == "one"


def test_another_adapter_in_the_same_folder_is_loaded(served: Served) -> None:
    first = EngineConfig(adapter="one", adapter_sha256="a")
    for config in (first, replace(first, adapter_sha256="b"), first.bare()):
        served.engine.configure(config)
        assert served.text() in ("one", "base")
        status = served.until(
            model=config.adapter or "base", adapter_sha256=config.adapter_sha256
        )
        assert (status.adapter, status.adapter_sha256) == (config.adapter, config.adapter_sha256)


def test_a_bad_adapter_is_never_served(served: Served) -> None:
    served.text()
    served.engine.configure(EngineConfig(adapter="bad"))
    status = served.until(problem="bad holds NaN")
    assert (status.state, status.model, status.adapter) == (EngineState.READY, "base", "")
    assert served.text() == "base"


def test_a_bad_adapter_at_the_start_leaves_the_base_model(models: Models) -> None:
    served = Served(models, "bad")
    assert served.text() == "base"
    assert "holds NaN" in served.engine.status().problem
    served.engine.close()
    assert served.engine.join(WAIT_S)


def test_the_last_choice_counts(served: Served, models: Models) -> None:
    served.text()
    models.gate.clear()
    served.engine.configure(EngineConfig(adapter="one"))
    served.engine.configure(EngineConfig(adapter="two"))
    models.gate.set()
    served.until(adapter="two")
    models.gate.clear()
    served.engine.configure(EngineConfig(adapter="one"))
    served.engine.configure(EngineConfig(adapter="two"))  # what is served already
    models.gate.set()
    assert served.text() == "two"


def test_who_joins_hears_that_an_adapter_is_still_loaded(served: Served, models: Models) -> None:
    """Around native code that loads a model, the interpreter would end with SIGABRT."""
    served.text()
    models.gate.clear()
    served.engine.configure(EngineConfig(adapter="one"))
    assert models.begun.wait(WAIT_S)  # none is begun after the end
    served.engine.close()
    thread = served.engine._thread
    assert thread is not None
    thread.join(WAIT_S)
    assert not served.engine.join(0)
    models.gate.set()
    assert served.engine.join(WAIT_S)


def test_a_problem_goes_with_the_adapter_that_had_it(served: Served) -> None:
    served.text()
    served.engine.configure(EngineConfig(adapter="bad"))
    served.until(problem="holds NaN")
    served.engine.configure(EngineConfig())
    assert served.engine.status().problem == ""
    served.engine.configure(EngineConfig(adapter="bad"))
    served.until(problem="holds NaN")


def test_an_adapter_that_was_refused_at_the_start_may_be_chosen_anew(models: Models) -> None:
    served = Served(models, "bad")
    assert served.text() == "base"
    for adapter in ("bad too", "bad"):
        served.engine.configure(EngineConfig(adapter=adapter))
        served.until(problem=f"{adapter} holds NaN")
    served.engine.configure(EngineConfig())
    assert served.engine.status().problem == ""
    served.engine.configure(EngineConfig(adapter="one"))
    assert served.until(adapter="one").problem == ""
    served.engine.close()
    assert served.engine.join(WAIT_S)


@pytest.fixture
def placed() -> Iterator[Served]:
    served = Served(Places())
    yield served
    served.engine.close()
    assert served.engine.join(WAIT_S)


def test_a_model_path_that_is_taken_back_leaves_the_model_that_is_chosen(placed: Served) -> None:
    """Also where it was only the adapter that changed in the end."""
    placed.engine.configure(EngineConfig(adapter="one"))
    placed.text()
    at_work = threading.Event()
    placed.engine._submit(lambda filler: at_work.wait(WAIT_S), CancelToken())
    placed.engine.configure(EngineConfig("/other", adapter="one"))
    placed.engine.configure(EngineConfig())
    at_work.set()
    placed.until(model="bundled + none", state=EngineState.READY)
    placed.text()
    assert placed.engine.status().model == "bundled + none"


def test_another_model_is_ready_before_the_next_request(placed: Served) -> None:
    placed.text()
    placed.engine.configure(EngineConfig("/other"))
    placed.until(model="/other + none", state=EngineState.READY)
    placed.engine.configure(EngineConfig("/damaged"))
    assert "copy it again" in placed.until(state=EngineState.FAILED).detail
    placed.engine.configure(EngineConfig(threads=1))
    placed.until(model="bundled + none", state=EngineState.READY)


def test_who_asked_for_nothing_gets_no_model_loaded(placed: Served) -> None:
    placed.engine.configure(EngineConfig("/other"))
    assert placed.engine.status().state is EngineState.IDLE
    assert placed.engine._thread is None


def test_the_log_names_what_is_not_served_and_the_fix(
    placed: Served, caplog: pytest.LogCaptureFixture
) -> None:
    placed.text()
    placed.engine.configure(EngineConfig(adapter="/team/bad"))
    placed.until(problem="holds NaN")
    placed.engine.configure(EngineConfig("/damaged"))
    placed.until(state=EngineState.FAILED)
    assert "the adapter /team/bad is not served: /team/bad holds NaN" in caplog.text
    assert "the model /damaged could not be loaded: /damaged has no weights; copy it" in caplog.text


# What the client is told

PULL = {"textDocument": {"uri": URI}}
MARKING = {"initializationOptions": {"diagnostics": {"enable": True}}}


class Suspecting(ScriptedEngine):
    """The base model finds `lenght` unlikely, one with an adapter finds nothing."""

    def __init__(self, models: Models, *, gated: bool) -> None:
        base = ScriptedFiller((answer("a"),), gated=gated, suspects={"lenght": "length"})

        def load(config: EngineConfig) -> ScriptedFiller:
            found = models.load(config)
            return found if config.adapter else base

        WorkerEngine.__init__(self, load)
        self.filler = base


@pytest.fixture
def wire(models: Models, request: pytest.FixtureRequest) -> Iterator[Wire]:
    wire = Wire(Suspecting(models, gated=getattr(request, "param", False)))
    wire.server.session.idle_s = 0
    yield wire
    wire.engine.filler.release(1000)
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def until(wire: Wire, method: str, there: Callable[[Any], bool]) -> Any:
    """The first message of a method whose parameters are as wanted."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for message in wire.sent:
                if message.get("method") == method and there(message.get("params")):
                    return message.get("params")
            wire._changed.clear()
            await wire._changed.wait()


async def test_the_status_names_what_is_served_not_what_was_refused(wire: Wire) -> None:
    await wire.initialize({"experimental": {"diffillStatus": True}})
    wire.engine.configure(EngineConfig(adapter="/team/one"))
    wire.open("x = ")
    method = "diffill/statusDidChange"
    status = await until(wire, method, lambda status: status["adapter"] is not None)
    assert status["adapter"] == "one" and status["adapterProblem"] is None
    wire.engine.configure(EngineConfig(adapter="/team/bad"))
    status = await until(wire, method, lambda status: status["adapterProblem"] is not None)
    assert status["adapter"] == "one" and "/team/bad holds NaN" in status["adapterProblem"]


async def test_marks_are_those_of_the_model_that_is_served(wire: Wire) -> None:
    await wire.initialize(**MARKING)
    wire.open("x = lenght\n")
    method = "textDocument/publishDiagnostics"
    await until(wire, method, lambda shown: len(shown["diagnostics"]) == 1)
    wire.engine.configure(EngineConfig(adapter="one"))
    await until(wire, method, lambda shown: not shown["diagnostics"])


def begun(wire: Wire) -> asyncio.Event:
    """Set when the model begins with the next request."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    wire.engine.filler.on_event = lambda event: loop.call_soon_threadsafe(started.set)
    return started


async def choose_another(wire: Wire, started: asyncio.Event) -> None:
    """Choose another adapter while the model is at work, and let it finish."""
    async with asyncio.timeout(WAIT_S):
        await started.wait()
        wire.engine.configure(EngineConfig(adapter="one"))
        while not wire.engine.status().queue:  # the new model waits for the old one's answer
            await asyncio.sleep(0)
    wire.engine.filler.release(1)


@pytest.mark.parametrize("wire", [True], indirect=True)
async def test_what_another_model_was_still_scoring_is_not_kept(wire: Wire) -> None:
    client = {
        "textDocument": {"diagnostic": {}},
        "workspace": {"diagnostics": {"refreshSupport": True}},
    }
    await wire.initialize(client, **MARKING)
    wire.open("x = lenght\n")
    started = begun(wire)
    pulled = wire.request("textDocument/diagnostic", PULL)
    await choose_another(wire, started)
    await wire.response(pulled)
    await until(wire, "workspace/diagnostic/refresh", lambda _: True)
    assert (await wire.ask("textDocument/diagnostic", PULL))["items"] == []


@pytest.mark.parametrize("wire", [True], indirect=True)
async def test_what_another_model_was_still_writing_is_not_offered_again(wire: Wire) -> None:
    await wire.initialize({"experimental": {"diffillStatus": True}})
    wire.open("x = ")
    started = begun(wire)
    asked = wire.ask_inline(0, 4)
    await choose_another(wire, started)
    assert (await wire.response(asked))["result"]["items"][0]["insertText"] == "x = a"
    await until(wire, "diffill/statusDidChange", lambda status: status["adapter"] == "one")
    assert await wire.inline(0, 4) == ["x = one"]
