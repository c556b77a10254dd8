"""A new adapter takes its place between two requests; a bad one never does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from diffusion.errors import AdapterError
from lsp_server.engine.engine import (
    EngineCandidate,
    EngineConfig,
    EngineRequest,
    EngineState,
    EngineStatus,
)
from lsp_server.engine.scripted import ScriptedAnswer, ScriptedEngine, ScriptedFiller
from lsp_server.engine.worker import WorkerEngine
from tests.support.lsp_wire import WAIT_S, Wire, answer

REQUEST = EngineRequest(b"x = ", 4, "python")


class Models:
    """A loader whose models say which adapter they have; `bad` ones are refused."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def load(self, config: EngineConfig) -> ScriptedFiller:
        if config.adapter:
            assert self.gate.wait(WAIT_S)
        if "bad" in config.adapter:
            raise AdapterError(f"{config.adapter} holds NaN")
        text = config.adapter or "base"
        filler = ScriptedFiller((ScriptedAnswer((EngineCandidate(text, 0.9),)),))
        filler.model = text
        return filler


class Served:
    """An engine, and a way to wait for what it says about itself."""

    def __init__(self, models: Models, adapter: str = "") -> None:
        self._changed = threading.Condition()
        self.engine = WorkerEngine(models.load)
        self.engine.listen(self._on_state)
        self.engine.configure(EngineConfig(adapter=adapter))

    def _on_state(self, status: EngineStatus) -> None:
        with self._changed:
            self._changed.notify_all()

    def until(self, **wanted: str) -> EngineStatus:
        def there() -> bool:
            status = self.engine.status()
            return all(value in getattr(status, name) for name, value in wanted.items())

        with self._changed:
            assert self._changed.wait_for(there, WAIT_S), self.engine.status()
        return self.engine.status()

    def text(self) -> str:
        answer = self.engine.submit(REQUEST, CancelToken()).result(WAIT_S)
        return answer.candidates[0].text


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def served(models: Models) -> Iterator[Served]:
    served = Served(models)
    yield served
    models.gate.set()
    served.engine.close()
    assert served.engine.join(WAIT_S)


def test_an_adapter_is_loaded_beside_what_is_served(served: Served, models: Models) -> None:
    assert served.text() == "base"
    models.gate.clear()
    served.engine.configure(EngineConfig(adapter="one"))
    assert [served.text() for _ in range(3)] == ["base"] * 3, "no request waits for the new one"
    models.gate.set()
    assert served.until(adapter="one").model == "one"
    assert served.text() == "one"


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


# What the client is told


@pytest.fixture
def wire(models: Models) -> Iterator[Wire]:
    def load(config: EngineConfig) -> None:
        models.load(config)

    filler = ScriptedFiller((answer("a + b"),), suspects={"lenght": "length"})
    wire = Wire(ScriptedEngine(filler, load=load))
    wire.server.session.idle_s = 0
    yield wire
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def told(wire: Wire, **wanted: str) -> dict[str, Any]:
    """The first status that is pushed with these words in it."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for message in wire.sent:
                status = message.get("params")
                if message.get("method") == "diffill/statusDidChange" and all(
                    value in (status[key] or "") for key, value in wanted.items()
                ):
                    return status
            wire._changed.clear()
            await wire._changed.wait()


async def test_the_status_names_what_is_served_not_what_was_refused(wire: Wire) -> None:
    await wire.initialize({"experimental": {"diffillStatus": True}})
    wire.engine.configure(EngineConfig(adapter="/team/one"))
    wire.open("x = ")
    assert (await told(wire, adapter="one"))["adapterProblem"] is None
    wire.engine.configure(EngineConfig(adapter="/team/bad"))
    status = await told(wire, adapterProblem="/team/bad holds NaN")
    assert status["adapter"] == "one" == Path(wire.engine.status().adapter).name
