"""`diffill/model/*`: adapters are listed, selected and deleted, and nothing by mistake."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters import store as store_module
from diffusion.adapters.manifest import WEIGHTS_FILE
from diffusion.adapters.store import CURRENT_FILE
from lsp_server.features import model
from lsp_server.training.reload import Chosen
from tests.support.adapters import publish
from tests.support.lsp_wire import WAIT_S, Wire

SCRIPT = ()
pytestmark = pytest.mark.usefixtures("repository", "tiny_model_dir")


async def begin(wire: Wire, repository: Path, model: Path) -> None:
    await wire.initialize(
        rootUri=repository.as_uri(), initializationOptions={"model": {"path": str(model)}}
    )


async def test_adapters_are_listed_selected_and_deleted(
    wire: Wire, repository: Path, tiny_model_dir: Path
) -> None:
    store = publish(repository, tiny_model_dir, "one", "two")
    (store.folder / "one" / WEIGHTS_FILE).write_bytes(b"weight")
    await begin(wire, repository, tiny_model_dir)
    found = await wire.ask("diffill/model/list")
    assert [(a["name"], a["selected"]) for a in found["adapters"]] == [
        ("two", False), ("one", False),
    ]  # fmt: skip
    assert "is truncated" in found["adapters"][1]["problem"]
    response = await wire.response(wire.request("diffill/model/select", {"name": "one"}))
    assert "is truncated" in response["error"]["message"]
    answer = await wire.ask("diffill/model/select", {"name": "two"})
    assert answer == {"selected": "two", "notServed": None}
    assert wire.server.session.adapter.name == "two"
    assert await wire.ask("diffill/model/delete", {"name": "two"}) == {"deleted": "two"}
    assert wire.server.session.adapter == Chosen()
    assert await wire.ask("diffill/train/status") == {"state": "none", "ours": False}


async def test_who_chooses_nothing_changes_nothing(
    wire: Wire, repository: Path, tiny_model_dir: Path
) -> None:
    """A misspelled key must not take the adapter away."""
    store = publish(repository, tiny_model_dir, "one")
    store.select("one")
    await begin(wire, repository, tiny_model_dir)
    for params in ({}, {"nme": None}, {"nme": "one"}, None):
        response = await wire.response(wire.request("diffill/model/select", params))
        assert response["error"]["code"] == -32602
    assert store.selected() == wire.server.session.adapter.name == "one"


async def test_adapters_are_listed_whatever_is_said_to_be_selected(
    wire: Wire, repository: Path, tiny_model_dir: Path
) -> None:
    store = publish(repository, tiny_model_dir, "one")
    (store.folder / CURRENT_FILE).write_text(json.dumps({"selected": "a" * 300}))
    await begin(wire, repository, tiny_model_dir)
    found = await wire.ask("diffill/model/list")
    assert [(a["name"], a["selected"]) for a in found["adapters"]] == [("one", False)]


async def test_others_are_answered_while_adapters_are_read(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(repository, tiny_model_dir, "one")
    await begin(wire, repository, tiny_model_dir)
    read, whole = threading.Event(), store_module.checked

    def checked(*given: Any) -> Any:
        assert read.wait(WAIT_S), "nobody was answered meanwhile"
        return whole(*given)

    monkeypatch.setattr(store_module, "checked", checked)
    listed = wire.request("diffill/model/list")
    await wire.ask("diffill/status")
    read.set()
    [adapter] = (await wire.response(listed))["result"]["adapters"]
    assert adapter["problem"] is None


async def test_the_last_choice_counts_also_while_the_first_one_is_read(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = publish(repository, tiny_model_dir, "one", "two")
    await begin(wire, repository, tiny_model_dir)
    read, whole = threading.Event(), model.checked

    def checked(*given: Any) -> Any:
        assert read.wait(WAIT_S), "nobody was answered meanwhile"
        return whole(*given)

    monkeypatch.setattr(model, "checked", checked)
    for name in ("two", None, "one"):
        chosen = wire.request("diffill/model/select", {"name": name})
    deleted = wire.request("diffill/model/delete", {"name": "two"})
    await wire.ask("diffill/status")
    read.set()
    assert (await wire.response(chosen))["result"] == {"selected": "one", "notServed": None}
    assert (await wire.response(deleted))["result"] == {"deleted": "two"}
    assert store.selected() == wire.server.session.adapter.name == "one"
