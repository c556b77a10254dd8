"""Tuning through a real server: plan, run, events, and an adapter that is served."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_process import Server, command, running
from tests.support.repositories import write_repository
from tests.support.wire_fixtures import fixtures

pytestmark = pytest.mark.slow
TEXT = "def add(a, b):\n    return \n"


async def events(server: Server, *last: str) -> list[dict[str, Any]]:
    """The events of the run up to one of these; what came before the call counts, too."""
    found: list[dict[str, Any]] = []
    seen = 0
    while True:
        for message in server.messages[seen:]:
            if message.get("method") == "diffill/train/progress":
                found.append(message["params"])
                if found[-1]["event"] in last:
                    return found
        seen = len(server.messages)
        await server.read()


async def test_a_run_from_the_editor_ends_in_what_is_served(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    root = write_repository(tmp_path / "repository", 8)
    env = {**os.environ, "DIFFILL_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    async with running(*command("--stdio"), env=env) as server:
        await server.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "capabilities": {"experimental": {"diffillTraining": True}},
                "initializationOptions": {
                    "model": {"path": str(tiny_model_dir)},
                    "train": {"nice": 0},
                    "inline": {"minConfidence": 0, "maxLatencyMs": 20000},
                },
            },
        )
        server.notify("initialized")
        plan = await server.ask("diffill/train/plan", {"probeSeconds": 0})
        assert (plan["files"], plan["held_out_files"]) == (7, 1)
        assert plan.keys() == fixtures()["diffill/train/plan"]["result"].keys()
        uri = (root / "edited.py").as_uri()
        server.open(uri, TEXT)
        await server.ask("diffill/train/start", {"minutes": 0.06, "name": "mine"})
        for _ in range(3):
            answer = await server.response(server.ask_inline(uri, 1, 11, automatic=False))
            assert "error" not in answer
        told = await events(server, "done", "failed")
        done = told[-1]
        assert done["event"] == "done", done
        known = fixtures()["diffill/train/progress"]["notifications"]
        shapes = {(one["event"], *sorted(one)) for one in known}
        assert {(one["event"], *sorted(one)) for one in told} - shapes == set()
        if done["adapter"] is not None:  # two steps of a random model may gain nothing
            models = await server.ask("diffill/model/list")
            assert [a["name"] for a in models["adapters"]] == ["mine"]
            while not (await server.ask("diffill/status"))["adapter"]:
                await server.ask("diffill/train/status")
            answer = await server.response(server.ask_inline(uri, 1, 11, automatic=False))
            assert "error" not in answer
        assert await server.stop() == 0


async def test_a_server_that_stops_leaves_a_run_to_go_on_with(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    root = write_repository(tmp_path / "repository", 8)
    env = {**os.environ, "DIFFILL_DATA": str(tmp_path / "data"), "OMP_NUM_THREADS": "1"}
    options = {"model": {"path": str(tiny_model_dir)}, "train": {"nice": 0}}
    states = []
    for _ in range(2):
        async with running(*command("--stdio"), env=env) as server:
            await server.ask(
                "initialize",
                {
                    "processId": None, "rootUri": root.as_uri(), "initializationOptions": options,
                    "capabilities": {"experimental": {"diffillTraining": True}},
                },
            )  # fmt: skip
            server.notify("initialized")
            states.append((await server.ask("diffill/train/status"))["state"])
            if len(states) == 1:
                await server.ask("diffill/train/start", {"minutes": 60})
                await events(server, "train", "failed")
                await server.ask("diffill/train/stop")
                assert (await events(server, "stopped", "failed"))[-1]["event"] == "stopped"
            assert await server.stop() == 0
    assert states == ["none", "stopped"]
