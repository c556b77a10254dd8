"""What is loaded when choices come quickly, and when what failed is loaded again."""

from __future__ import annotations

import asyncio

import pytest

from lsp_server.engine.engine import EngineConfig
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.engine.worker import WorkerEngine
from lsp_server.errors import EngineUnavailable
from tests.support.loaders import Models, Places, Served
from tests.support.lsp_wire import WAIT_S, Wire


def choose(served: Served, models: Models, *adapters: str) -> None:
    """Choose adapters one after the other while the first one is being loaded."""
    served.text()
    models.gate.clear()
    for adapter in adapters:
        served.engine.configure(EngineConfig(adapter=adapter))
        assert models.begun.wait(WAIT_S)


def test_of_many_choices_the_first_and_the_last_are_loaded_one_after_the_other(
    served: Served, models: Models
) -> None:
    """Each takes the memory of a model."""
    choose(served, models, "one", "two", "three", "four")
    assert models.loaded == ["one"]
    models.gate.set()
    served.until(adapter="four")
    assert models.loaded == ["one", "four"]


def test_what_is_wanted_again_while_it_is_loaded_is_loaded_once(
    served: Served, models: Models
) -> None:
    choose(served, models, "one", "", "two", "one")
    models.gate.set()
    served.until(adapter="one")
    assert models.loaded == ["one"]


def test_after_the_end_nothing_more_is_loaded(served: Served, models: Models) -> None:
    choose(served, models, "one", "two")
    served.engine.close()
    models.gate.set()
    assert served.engine.join(WAIT_S)
    assert models.loaded == ["one"]


def test_an_adapter_that_was_mended_is_loaded_when_it_is_chosen_again(
    served: Served, models: Models
) -> None:
    served.text()
    bad = EngineConfig(adapter="bad")
    served.engine.configure(bad)
    served.until(problem="holds NaN")
    models.mended = True
    served.engine.configure(bad)
    assert models.loaded == ["bad"], "what is not chosen anew is not loaded anew"
    served.engine.configure(bad, again=True)
    assert served.until(adapter="bad").problem == ""
    served.engine.configure(bad, again=True)
    assert models.loaded == ["bad"] * 2, "it is served"


def test_a_model_that_was_mended_is_loaded_when_it_is_chosen_again() -> None:
    models = Places()
    served = Served(models)
    damaged = EngineConfig("/damaged")
    served.engine.configure(damaged)
    with pytest.raises(EngineUnavailable, match=r"copy it again \(tried again when settings"):
        served.text()
    models.mended = True
    served.engine.configure(damaged)
    with pytest.raises(EngineUnavailable):
        served.text()
    served.engine.configure(damaged, again=True)
    assert served.text() == "base"
    assert served.engine.status().model == "/damaged + none"
    served.engine.close()
    assert served.engine.join(WAIT_S)


class Mended(ScriptedEngine):
    """Its models are those of `models`."""

    def __init__(self, models: Models) -> None:
        WorkerEngine.__init__(self, models.load)


async def test_settings_that_are_sent_again_have_a_mended_model_loaded() -> None:
    models = Places()
    wire = Wire(Mended(models))
    await wire.initialize(initializationOptions={"model": {"path": "/damaged"}})
    wire.open("x = ")
    assert await wire.inline(0, 4) == []
    assert (await wire.ask("diffill/status"))["engine"] == "failed"
    models.mended = True
    assert await wire.inline(0, 4) == []
    settings = {"model": {"path": "/damaged"}}
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": settings}})
    assert await wire.inline(0, 4) == ["x = base"]
    assert (await wire.ask("diffill/status"))["model"] == "/damaged + none"
    wire.server.session.close()
    assert await asyncio.to_thread(wire.engine.join, WAIT_S)
