"""The server answers as the messages of `tests/wire/` say; the clients' tests replay the same."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import LORA, AdapterManifest
from diffusion.adapters.store import AdapterStore
from lsp_server import protocol
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.features import train
from tests.support.lsp_wire import WAIT_S, Wire
from tests.support.runs import over
from tests.support.wire_fixtures import FOLDER, differences, fixtures

ROOT = Path(__file__).parents[3]
FIXTURES = fixtures()
OF_A_REPOSITORY = [m for m in FIXTURES if m.startswith(("diffill/train/", "diffill/model/"))]
REPLAYED = [
    m for m, f in FIXTURES.items() if "result" in f and m not in (*OF_A_REPOSITORY, "initialize")
]
CLIENTS = {
    "VS Code": (ROOT / "editors" / "vscode" / "src").rglob("*.ts"),
    "Neovim": (ROOT / "editors" / "neovim").rglob("*.lua"),
}


def engine_of(fixture: dict[str, Any], folder: Path) -> ScriptedEngine:
    candidates = [{"text": c} if isinstance(c, str) else c for c in fixture.get("engine", ())]
    script = {"answers": [{"candidates": candidates}], "suspects": fixture.get("suspects")}
    path = folder / "script.json"
    path.write_text(json.dumps(script), encoding="utf-8")
    return ScriptedEngine.from_file(path)


def check(found: Any, method: str, key: str = "result") -> None:
    fixture = FIXTURES[method]
    assert differences(found, fixture[key], frozenset(fixture.get("varies", ()))) == []


async def ended(wire: Wire) -> None:
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


def test_every_method_of_our_own_has_a_fixture() -> None:
    methods = {
        value
        for value in vars(protocol).values()
        if isinstance(value, str) and value.startswith("diffill/")
    }
    assert methods == {method for method in FIXTURES if method.startswith("diffill/")}
    assert [m for m in FIXTURES if not (FOLDER / f"{m.replace('/', '.')}.json").is_file()] == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_knows_no_method_that_is_not_there(client: str) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CLIENTS[client])
    named = set(re.findall(r'"(diffill/[\w/]+)"', text))
    assert {"diffill/status", "diffill/rewrite", "diffill/fill"} <= named
    assert [m for m in named if m not in FIXTURES and not m.endswith("/")] == []


@pytest.mark.parametrize("method", REPLAYED)
async def test_a_request_is_answered_as_in_its_fixture(method: str, tmp_path: Path) -> None:
    fixture = FIXTURES[method]
    wire = Wire(engine_of(fixture, tmp_path))
    await wire.initialize()
    wire.open(fixture["document"], uri="file:///a.py")
    for before in fixture.get("first", ()):
        await wire.ask(before["method"], before["params"])
    check(await wire.ask(method, fixture.get("params")), method)
    await ended(wire)


async def test_initialize_and_the_status_that_is_pushed_to_who_announces_it(
    tmp_path: Path,
) -> None:
    fixture, pushed = FIXTURES["initialize"], FIXTURES["diffill/statusDidChange"]
    wire = Wire(engine_of(pushed, tmp_path))
    found = await wire.ask("initialize", fixture["params"])
    wanted = fixture["result"]
    assert found["serverInfo"] == wanted["serverInfo"]
    for name, options in wanted["capabilities"].items():
        offered = found["capabilities"][name]
        assert {key: offered[key] for key in options} == options
    wire.notify("initialized")
    wire.open(pushed["document"], uri="file:///a.py")
    await wire.ask(pushed["first"][0]["method"], pushed["first"][0]["params"])
    told = [m["params"] for m in wire.sent if m.get("method") == pushed["method"]]
    # How far the engine is at the first one is a matter of luck.
    wanted = pushed["notifications"]
    assert differences(told[-1], wanted[-1], frozenset(pushed["varies"])) == []
    assert {tuple(one) for one in told} == {tuple(one) for one in wanted}
    await ended(wire)


@pytest.fixture
async def tuned(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Wire]:
    """A server for a repository that has an adapter."""
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = tmp_path / "shop"
    (root / ".git").mkdir(parents=True)
    base, store = base_of(tiny_model_dir), AdapterStore(home_of(root))
    manifest = AdapterManifest(
        "tuned-1", "2026-01-01", LORA, 1.0, base.weights_sha256, base.tokenizer_hash, "",
        {"held_out": {"cases": 0}},
    )  # fmt: skip
    store.publish(manifest, save({}))
    store.select("tuned-1")
    wire = Wire(engine_of({}, tmp_path))
    await wire.initialize(
        FIXTURES["initialize"]["params"]["capabilities"],
        rootUri=root.as_uri(),
        initializationOptions={"model": {"path": str(tiny_model_dir)}},
    )
    yield wire
    await ended(wire)


async def test_models_are_listed_selected_and_deleted(tuned: Wire) -> None:
    for verb in ("list", "select", "delete"):
        method = f"diffill/model/{verb}"
        check(await tuned.ask(method, FIXTURES[method]["params"]), method)
    assert (await tuned.ask("diffill/model/list"))["adapters"] == []


async def test_a_plan_and_the_events_of_a_run_reach_the_client(
    tuned: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that prints them; what a real one prints is compared in tests/e2e."""

    def printed(*lines: Any) -> list[str]:
        code = f"for line in {[json.dumps(line) for line in lines]!r}: print(line, flush=True)"
        return [sys.executable, "-c", code]

    plan, progress = FIXTURES["diffill/train/plan"], FIXTURES["diffill/train/progress"]
    monkeypatch.setattr(train, "command", lambda *_: printed(plan["result"]))
    check(await tuned.ask(plan["method"], plan["params"]), plan["method"])
    monkeypatch.setattr(train, "command", lambda *_: printed(*progress["notifications"]))
    start = FIXTURES["diffill/train/start"]
    answer = await tuned.ask(start["method"], start["params"])
    assert answer.keys() == start["result"].keys()
    await over(tuned.server.training.job)
    told = [m["params"] for m in tuned.sent if m.get("method") == progress["method"]]
    check(told, progress["method"], "notifications")


@pytest.mark.parametrize("verb", ["status", "pause", "resume", "stop"])
async def test_steering_answers_with_the_run_as_it_is(
    tuned: Wire, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = FIXTURES[f"diffill/train/{verb}"]
    state = {key: value for key, value in fixture["result"].items() if key != "ours"}
    steered: list[str] = []
    monkeypatch.setattr("diffusion.train.run_state.run_state", lambda run: dict(state))
    monkeypatch.setattr(
        "diffusion.train.run_state.steer", lambda run, action: steered.append(action)
    )
    training = tuned.server.training
    training.repository, training.job.last = tuned.server.session.root, dict(state)
    monkeypatch.setattr(type(training.job), "active", True)
    check(await tuned.ask(fixture["method"], fixture["params"]), fixture["method"])
    assert steered == ([] if verb == "status" else [verb])
    monkeypatch.undo()
