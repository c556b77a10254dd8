"""Training from the editor: the requests, and what is served meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters.home import home_of
from diffusion.train.control import PAUSE, RUN, only_run, wanted
from lsp_server.features import train
from lsp_server.training.reload import Chosen
from tests.support.adapters import publish
from tests.support.lsp_wire import WAIT_S, Wire
from tests.support.runs import arrived, over, program

SCRIPT = ()
pytestmark = pytest.mark.usefixtures("repository", "tiny_model_dir")


async def begin(wire: Wire, repository: Path, model: Path, **experimental: bool) -> None:
    await wire.initialize(
        {"experimental": experimental},
        rootUri=repository.as_uri(),
        initializationOptions={"model": {"path": str(model)}},
    )


async def test_a_run_shows_its_events_and_its_adapter_is_served(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = publish(repository, tiny_model_dir, "new")
    store.select("new")
    script = program({"event": "train", "step": 9}, {"event": "done", "adapter": "new"})
    monkeypatch.setattr(train, "command", lambda *_: script)
    await begin(wire, repository, tiny_model_dir, diffillTraining=True)
    assert wire.server.session.adapter.name == "new"
    assert wire.engine._config.adapter_sha256 == wire.server.session.adapter.sha256 != ""
    store.select(None)
    wire.server.session.choose_adapter()
    assert wire.server.session.adapter == Chosen()
    store.select("new")
    assert await wire.ask("diffill/train/start") == {"repository": str(repository)}
    await over(wire.server.training.job)
    told = [m["params"] for m in wire.sent if m.get("method") == "diffill/train/progress"]
    assert [event["event"] for event in told] == ["train", "done"]
    assert wire.server.session.adapter.name == "new"


STOPS_WHEN_TOLD = (
    "sys.stdin.read()\n"
    "print('{\"event\": \"train\", \"loss\": 2, \"eta_minutes\": 1}')\n"
    "print('{\"event\": \"stopped\", \"message\": \"saved\"}', flush=True)\n"
)


async def test_who_takes_the_progress_bar_away_stops_the_run_and_sees_its_end(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = program({"event": "scanning"}, after=STOPS_WHEN_TOLD)
    monkeypatch.setattr(train, "command", lambda *_: run)
    await wire.initialize({"window": {"workDoneProgress": True}}, rootUri=repository.as_uri())
    started = wire.request("diffill/train/start")
    create = await arrived(wire, "window/workDoneProgress/create")
    wire.message({"id": create["id"], "result": None})
    await wire.response(started)
    wire.notify("window/workDoneProgress/cancel", {"token": "another"})
    process = wire.server.training.job._process
    assert process is not None and process.stdin is not None and not process.stdin.is_closing()
    wire.notify("window/workDoneProgress/cancel", {"token": create["params"]["token"]})
    await over(wire.server.training.job)
    shown = [m["params"]["value"] for m in wire.sent if m.get("method") == "$/progress"]
    assert [shown[0]["kind"], shown[-1]] == ["begin", {"kind": "end", "message": "saved"}]
    assert [value["kind"] for value in shown].count("end") == 1
    assert wire.server.work_done_progress.tokens == {}


MAKES_ONE_WHEN_TOLD = (
    "sys.stdin.read()\nprint('{\"event\": \"done\", \"adapter\": \"new\"}', flush=True)\n"
)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("auto", "adapter new is made and will be served"),
        ("none", "made and not served: diffill.model.adapter is none; write auto there"),
    ],
)
async def test_the_end_of_a_run_says_whether_its_adapter_is_served(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch,
    setting: str, said: str,
) -> None:  # fmt: skip
    publish(repository, tiny_model_dir, "new").select("new")
    run = program({"event": "scanning"}, after=MAKES_ONE_WHEN_TOLD)
    monkeypatch.setattr(train, "command", lambda *_: run)
    await wire.initialize(
        {"window": {"workDoneProgress": True}},
        rootUri=repository.as_uri(),
        initializationOptions={"model": {"path": str(tiny_model_dir), "adapter": setting}},
    )
    started = wire.request("diffill/train/start")
    create = await arrived(wire, "window/workDoneProgress/create")
    wire.message({"id": create["id"], "result": None})
    await wire.response(started)
    await arrived(wire, "$/progress")
    wire.server.training.close()
    await over(wire.server.training.job)
    shown = [m["params"]["value"] for m in wire.sent if m.get("method") == "$/progress"]
    assert shown[-1]["kind"] == "end" and said in shown[-1]["message"]


@pytest.mark.parametrize("options", [{}, {"keepUp": True}, {"begun": True}])
async def test_no_run_waits_for_a_client_to_agree_to_a_bar(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(train, "command", lambda *_: program({"event": "done"}))
    await wire.initialize({"window": {"workDoneProgress": True}}, rootUri=repository.as_uri())
    training = wire.server.training
    training.agree_s = 0.0
    if options:
        async with asyncio.timeout(WAIT_S):
            await training.start(repository, options)
    else:
        assert await wire.ask("diffill/train/start") == {"repository": str(repository)}
    create = await arrived(wire, "window/workDoneProgress/create")
    await over(training.job)
    assert training._bar is not None
    async with asyncio.timeout(WAIT_S):
        await training._bar
    assert create["id"] not in wire.server.protocol._request_futures
    wire.message({"id": create["id"], "result": None})
    assert not [m for m in wire.sent if m.get("method") == "$/progress"]
    await training.start(repository, options)  # the next run asks for a bar of its own
    again = await arrived(wire, "window/workDoneProgress/create")
    assert again["params"] != create["params"]
    await over(training.job)


async def test_a_bar_that_comes_after_the_end_of_its_run_ends(
    wire: Wire, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told, but the process is still there: it reads on."""
    run = program({"event": "stopped"}, after="sys.stdin.read()\n")
    monkeypatch.setattr(train, "command", lambda *_: run)
    await wire.initialize(
        {"window": {"workDoneProgress": True}, "experimental": {"diffillTraining": True}},
        rootUri=repository.as_uri(),
    )
    started = wire.request("diffill/train/start")
    create = await arrived(wire, "window/workDoneProgress/create")
    await arrived(wire, "diffill/train/progress")
    wire.message({"id": create["id"], "result": None})
    await wire.response(started)
    assert wire.server.training.job.active
    assert wire.server.work_done_progress.tokens == {}
    wire.server.training.close()
    await over(wire.server.training.job)


async def test_a_plan_is_given_no_option_that_would_do_nothing(
    wire: Wire, repository: Path
) -> None:
    await wire.initialize(rootUri=repository.as_uri())
    given = {"name": "mine", "keepUp": True}
    for dry in (False, True):
        words = train.command(wire.server, repository, {**given, "dryRun": dry})
        assert ("--name" in words, "--keep-up" in words) == (not dry, not dry)


@pytest.mark.parametrize("setting", [True, False])
async def test_idle_the_server_looks_for_adapters_and_keeps_up_if_told_to(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch,
    setting: bool,
) -> None:  # fmt: skip
    commands: list[list[str]] = []
    whole = train.command

    def command(*given: Any) -> list[str]:
        commands.append(whole(*given))
        return program({"event": "failed", "message": "no disk"})

    monkeypatch.setattr(train, "command", command)
    await wire.initialize(
        rootUri=repository.as_uri(),
        initializationOptions={
            "model": {"path": str(tiny_model_dir)},
            "train": {"keepUp": setting, "minutesPerDay": 7},
        },
    )
    training = wire.server.training
    publish(repository, tiny_model_dir, "new").select("new")  # by a commit's run, say
    assert wire.server.session.adapter == Chosen()
    training.idle_s = 0.0
    looked = asyncio.Event()
    choose = wire.server.session.choose_adapter
    monkeypatch.setattr(
        wire.server.session, "choose_adapter", lambda: (choose(), looked.set())
    )
    training.touch()
    async with asyncio.timeout(WAIT_S):
        await looked.wait()
    assert wire.server.session.adapter.name == "new"
    assert bool(training._starts) is setting
    if setting:
        await asyncio.gather(*training._starts)
        await over(training.job)
    assert [c[c.index("--keep-up") :][:3] for c in commands] == (
        [["--keep-up", "--minutes-per-day", "7.0"]] if setting else []
    )
    shown = [m for m in wire.sent if m.get("method") == "window/showMessage"]
    assert shown == [], "nobody asked for this run, so its failure is only logged"


@pytest.mark.parametrize("options", [{}, {"keepUp": True}, {"begun": True}])
async def test_a_run_that_nobody_asked_for_says_so(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
) -> None:  # fmt: skip
    script = program({"event": "scanning"}, {"event": "stopped", "message": "not now"})
    monkeypatch.setattr(train, "command", lambda *_: script)
    await begin(wire, repository, tiny_model_dir, diffillTraining=True)
    await wire.server.training.start(repository, options)
    await over(wire.server.training.job)
    told = [m["params"] for m in wire.sent if m.get("method") == "diffill/train/progress"]
    assert [event.get("byItself") for event in told] == [True if options else None] * 2


async def test_the_adapter_is_that_of_the_folder_that_is_open_now(
    wire: Wire, repository: Path, tiny_model_dir: Path
) -> None:
    publish(repository, tiny_model_dir, "one").select("one")
    options = {"model": {"path": str(tiny_model_dir)}}
    await wire.initialize(workspaceFolders=[], initializationOptions=options)
    response = await wire.response(wire.request("diffill/train/status"))
    assert "no folder is open" in response["error"]["message"]

    def change(**event: Any) -> None:
        both = {"added": [], "removed": [], **event}
        wire.notify("workspace/didChangeWorkspaceFolders", {"event": both})

    folder = {"uri": repository.as_uri(), "name": "repository"}
    change(added=[folder, {"uri": "http://[no-uri", "name": "odd"}])
    assert await wire.ask("diffill/train/status") == {"state": "none", "ours": False}
    assert wire.server.session.adapter.name == "one"
    change(removed=[folder])
    assert wire.server.session.adapter == Chosen() and wire.server.session.root is None


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("diffill/train/start", [], "must be an object"),
        ("diffill/train/start", {"repository": 3}, "not a path"),
        ("diffill/train/start", {"repository": "/no/where"}, "is no folder"),
        ("diffill/train/status", {"repository": "/" + "a" * 5000}, "is no folder"),
        ("diffill/train/status", {"repository": "a\0b"}, "is no folder"),
        ("diffill/train/status", {"repository": "\ud800"}, "is no folder"),
        ("diffill/train/plan", {"repository": "~nobody-of-that-name/x"}, "write the path out"),
        ("diffill/train/plan", {"name": "a\0b"}, "cannot be called"),
        ("diffill/train/plan", {"minutes": float("inf")}, "give a number above 0"),
        ("diffill/train/start", {"minutes": "ten"}, "give a number above 0"),
        ("diffill/train/start", {"minutes": 0}, "minutes is 0; give a number above 0"),
        ("diffill/train/plan", {"probeSeconds": -1}, "give a number from 0 up"),
        ("diffill/train/start", {"fresh": "no"}, "fresh is 'no'; give true or false"),
        ("diffill/train/start", {"minuts": 3, "keepUp": True}, "minuts, keepUp would do nothing"),
        ("diffill/train/start", {"method": "magic"}, "give lora or full"),
        ("diffill/train/start", {"name": "my tuning"}, "cannot be called 'my tuning'"),
        ("diffill/train/pause", None, "no run is at work"),
        ("diffill/train/stop", None, "start one with `diffill train`"),
        ("diffill/model/select", {"name": "none"}, "has no adapter called none"),
        ("diffill/model/select", {"name": "../x"}, "cannot be called"),
        ("diffill/model/delete", {}, "name is not an adapter's name"),
        ("diffill/model/select", None, "neither an adapter's name nor null"),
        ("diffill/model/select", {"name": 3}, "neither an adapter's name nor null"),
        ("diffill/model/select", {"nme": "one"}, "nme would do nothing; give repository, name"),
        ("diffill/model/delete", {"name": "one", "force": True}, "force would do nothing"),
        ("diffill/model/list", {"repo": "/x"}, "repo would do nothing; give repository"),
        ("diffill/train/stop", {"repo": "/x"}, "repo would do nothing; give repository"),
    ],
)
async def test_what_makes_no_sense_is_named(
    wire: Wire, repository: Path, tiny_model_dir: Path, method: str, params: Any, said: str
) -> None:
    await begin(wire, repository, tiny_model_dir)
    response = await wire.response(wire.request(method, params))
    assert response["error"]["code"] == -32602
    assert said in response["error"]["message"]


async def test_a_home_of_nobody_is_named(
    wire: Wire, repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begin(wire, repository, Path("~nobody-of-that-name/m"))
    response = await wire.response(wire.request("diffill/model/list"))
    assert "write the path out" in response["error"]["message"]
    monkeypatch.setenv("DIFFILL_DATA", "~nobody-of-that-name/data")
    for method in ("model/list", "train/status", "train/start"):
        response = await wire.response(wire.request(f"diffill/{method}"))
        assert response["error"]["code"] == -32602
        assert "DIFFILL_DATA ~nobody-of-that-name" in response["error"]["message"]


TELLS_WHAT_IT_HEARS = (
    "import json\n"
    "print(json.dumps({'event': 'stopped', 'heard': [line.strip() for line in sys.stdin]}))\n"
)


async def test_a_run_is_steered_before_it_is_at_work(
    wire: Wire, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = home_of(repository).run
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"event": "done", "state": "done"}')  # of the one before
    monkeypatch.setattr(train, "command", lambda *_: program(after=TELLS_WHAT_IT_HEARS))
    await begin(wire, repository, tmp_path, diffillTraining=True)
    await wire.ask("diffill/train/start")
    assert await wire.ask("diffill/train/status") == {"state": "runs", "ours": True}
    other = {"repository": str(tmp_path)}
    assert await wire.ask("diffill/train/status", other) == {"state": "none", "ours": False}
    response = await wire.response(wire.request("diffill/train/stop", other))
    assert "no run is at work" in response["error"]["message"]
    for action in ("pause", "resume"):
        assert await wire.ask(f"diffill/train/{action}") == {"state": "runs"}
    with only_run(run):  # from then on, whoever steers it writes to its folder
        await wire.ask("diffill/train/pause")
        assert wanted(run) == PAUSE
        await wire.ask("diffill/train/resume")  # it may have heard of a pause here and there
        assert wanted(run) == RUN
    await wire.ask("diffill/train/stop")
    await over(wire.server.training.job)
    assert wire.server.training.job.last["heard"] == ["pause", "resume", "resume"]
    status = await wire.ask("diffill/train/status")
    assert status == {"event": "done", "state": "done", "ours": False}


async def test_what_is_null_is_left_out(
    wire: Wire, repository: Path, tiny_model_dir: Path
) -> None:
    await begin(wire, repository, tiny_model_dir)
    params = {"repository": None, "minutes": None, "method": None, "probeSeconds": None}
    answer = await wire.response(wire.request("diffill/train/status", params))
    assert answer["result"]["state"] == "none"
