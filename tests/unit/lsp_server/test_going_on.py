"""Whether a server goes on with the run that the open folder has: when, how, with which model."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters.home import home_of
from diffusion.train.control import only_run
from lsp_server.features import train
from tests.support.lsp_wire import WAIT_S, Wire
from tests.support.runs import arrived, over, program

SCRIPT = ()
pytestmark = pytest.mark.usefixtures("repository", "tiny_model_dir")


@pytest.mark.parametrize(
    ("state", "setting", "starts"),
    [
        ("interrupted", True, True), ("stopped", True, True), ("done", True, False),
        ("none", True, False), ("stopped", False, False),
    ],
)  # fmt: skip
async def test_an_interrupted_run_goes_on_if_the_settings_say_so(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch,
    state: str, setting: bool, starts: bool,
) -> None:  # fmt: skip
    run = home_of(repository).run
    if state != "none":
        run.mkdir(parents=True)
        # A status that says "runs" without a process that holds the lock is an interrupted run.
        status = {"state": "runs" if state == "interrupted" else state}
        (run / "status.json").write_text(json.dumps(status))
    monkeypatch.setattr(train, "command", lambda *_: program({"event": "stopped"}))
    await wire.initialize(
        {"experimental": {"diffillTraining": True}},
        rootUri=repository.as_uri(),
        initializationOptions={"train": {"autoResume": setting}},
    )
    if starts:
        async with asyncio.timeout(WAIT_S):
            while wire.server.training.repository is None:  # `initialized` begins it
                await asyncio.sleep(0)
        await over(wire.server.training.job)
    else:
        await train.go_on(wire.server)
    told = [m["params"] for m in wire.sent if m.get("method") == "diffill/train/progress"]
    assert bool(told) is starts
    assert wire.server.training.repository == (repository if starts else None)


async def test_a_run_that_still_saves_is_waited_for(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `restart server`: the run of the server before has got its lock still."""
    run = home_of(repository).run
    failed = program({"event": "failed", "message": "being trained on already"})
    monkeypatch.setattr(train, "command", lambda *_: failed)
    training = wire.server.training
    training.look_again_s = 0.0
    with only_run(run):
        (run / "status.json").write_text(json.dumps({"state": "runs", "pid": os.getpid()}))
        await wire.initialize(
            rootUri=repository.as_uri(), initializationOptions={"train": {"autoResume": True}}
        )
        waits = asyncio.ensure_future(train.go_on(wire.server))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waits.done() and training.repository is None
        (run / "status.json").write_text('{"state": "stopped"}')
    async with asyncio.timeout(WAIT_S):
        await waits
    await over(training.job)
    assert training.repository == repository
    shown = [m for m in wire.sent if m.get("method") == "window/showMessage"]
    assert shown == [], "nobody asked for it, so its failure is only logged"


async def test_who_waits_for_a_run_to_save_goes_with_the_server(
    wire: Wire, repository: Path
) -> None:
    with only_run(home_of(repository).run):
        await wire.initialize(
            rootUri=repository.as_uri(), initializationOptions={"train": {"autoResume": True}}
        )
        waits = asyncio.ensure_future(train.go_on(wire.server))
        await asyncio.sleep(0)
        assert not waits.done()
        wire.server.training.close()
        async with asyncio.timeout(WAIT_S):
            await waits
    assert wire.server.training.repository is None


@pytest.mark.parametrize("by_itself", [True, False])
async def test_a_run_that_nobody_asked_for_goes_on_within_its_minutes(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch, by_itself: bool
) -> None:
    run = home_of(repository).run
    commands: list[list[str]] = []
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "stopped"}')
    begun_with = {"base": "0" * 64, "model": "", "by_itself": by_itself}
    (run / "config.json").write_text(json.dumps(begun_with))
    whole = train.command

    def command(*given: Any) -> list[str]:
        commands.append(whole(*given))
        return program({"event": "stopped"})

    monkeypatch.setattr(train, "command", command)
    await wire.initialize(
        rootUri=repository.as_uri(),
        initializationOptions={"train": {"autoResume": True, "minutesPerDay": 7}},
    )
    async with asyncio.timeout(WAIT_S):
        while wire.server.training.repository is None:
            await asyncio.sleep(0)
    await over(wire.server.training.job)
    [words] = commands
    assert "--method" not in words
    assert (words[-3:] == ["--keep-up", "--minutes-per-day", "7.0"]) is by_itself


async def test_a_run_of_another_model_does_not_go_on(
    wire: Wire, repository: Path, tiny_model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = home_of(repository).run
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "stopped"}')
    (run / "config.json").write_text(json.dumps({"base": "0" * 64, "model": ""}))
    await wire.initialize(
        rootUri=repository.as_uri(),
        initializationOptions={
            "model": {"path": str(tiny_model_dir)}, "train": {"autoResume": True}
        },
    )  # fmt: skip
    await train.go_on(wire.server)
    assert wire.server.training.repository is None
    assert "of another model, the bundled one" in caplog.text


async def test_what_goes_on_keeps_its_method(wire: Wire, repository: Path) -> None:
    await wire.initialize(rootUri=repository.as_uri())
    assert "--method" in train.command(wire.server, repository, {})
    assert "--method" not in train.command(wire.server, repository, {"begun": True})


@pytest.mark.parametrize("asked_again", [False, True])
async def test_an_interrupted_run_goes_on_also_where_settings_come_late_or_not_at_all(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch, asked_again: bool
) -> None:
    run = home_of(repository).run
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "stopped"}')
    monkeypatch.setattr(train, "command", lambda *_: program({"event": "stopped"}))
    await wire.initialize(
        {"workspace": {"configuration": True}, "experimental": {"diffillTraining": True}},
        rootUri=repository.as_uri(),
        initializationOptions={"train": {"autoResume": not asked_again}},
    )
    pull, settings = await arrived(wire, "workspace/configuration"), None
    if asked_again:  # and the first question is never answered
        wire.notify("workspace/didChangeConfiguration", {"settings": None})
        pull = await arrived(wire, "workspace/configuration")
        settings = [{"train": {"autoResume": True}}]
    wire.message({"id": pull["id"], "result": settings})
    told = await arrived(wire, "diffill/train/progress")
    assert told["params"] == {"event": "stopped", "byItself": True}
    await over(wire.server.training.job)
