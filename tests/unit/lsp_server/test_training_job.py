"""The training process: started once, steered, listened to, and when it is told to wait."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from lsp_server.errors import TrainingUnavailable
from lsp_server.training.job import TrainingJob, command_line, read_plan
from lsp_server.training.policy import YieldPolicy
from tests.support.lsp_wire import WAIT_S
from tests.support.runs import over, program


def test_a_run_is_told_to_wait_at_the_first_key_and_not_at_each() -> None:
    policy = YieldPolicy(yield_ms=2000)
    told = [policy.touch(ms) for ms in (0, 10, 200, 499, 500, 600, 5000)]
    assert told == [2000, None, None, None, 2000, None, 2000]


async def test_events_are_passed_on_and_noise_is_not() -> None:
    seen: list[dict[str, Any]] = []
    job = TrainingJob(seen.append)
    await job.start(
        program({"event": "train", "step": 1}, after="print('noise')\nprint('[1]')\n")
    )
    await over(job)
    assert [event["event"] for event in seen] == ["train", "failed"]
    assert "ended: exit code 0" in seen[-1]["message"]
    await job.start(program({"event": "done", "adapter": None}))
    await over(job)
    assert seen[-1] == {"event": "done", "adapter": None}


async def test_one_run_at_a_time_which_hears_and_stops() -> None:
    seen: list[dict[str, Any]] = []
    started = asyncio.Event()

    def on_event(event: dict[str, Any]) -> None:
        seen.append(event)
        started.set()

    echo = (
        "heard = list(sys.stdin)\n"
        "import json; print(json.dumps({'event': 'stopped', 'heard': heard}), flush=True)\n"
    )
    job = TrainingJob(on_event)
    await job.start(program({"event": "plan"}, after=echo))
    async with asyncio.timeout(WAIT_S):
        await started.wait()
        with pytest.raises(TrainingUnavailable, match="trains already"):
            await job.start(program())
        job.wait_a_moment(1500)
        job.close()
        await over(job)
    assert seen[-1] == {"event": "stopped", "heard": ["yield 1500\n"]}
    assert not job.active


async def test_of_two_starts_at_once_one_is_a_run() -> None:
    seen: list[dict[str, Any]] = []
    job = TrainingJob(seen.append)
    echo = "sys.stdin.read()\nprint('{\"event\": \"stopped\"}', flush=True)\n"
    starts = [job.start(program({"event": "plan"}, after=echo)) for _ in range(2)]
    first, second = await asyncio.gather(*starts, return_exceptions=True)
    assert first is None and isinstance(second, TrainingUnavailable)
    job.close()
    await over(job)
    assert [event["event"] for event in seen] == ["plan", "stopped"]


async def test_a_start_that_fails_is_no_run() -> None:
    job = TrainingJob(lambda event: None)
    with pytest.raises(TrainingUnavailable, match="could not be started"):
        await job.start(["/no/such/program"])
    await job.start(program({"event": "done"}))
    await over(job)
    assert job.last == {"event": "done"}


async def test_a_process_that_dies_says_why() -> None:
    seen: list[dict[str, Any]] = []
    job = TrainingJob(seen.append)
    await job.start(program(after="raise SystemExit('no disk')"))
    await over(job)
    assert seen == [{"event": "failed", "message": "the training process ended: no disk"}]
    with pytest.raises(TrainingUnavailable, match="no plan could be made: no disk"):
        await read_plan(program(after="raise SystemExit('no disk')"))
    with pytest.raises(TrainingUnavailable, match="nothing here"):
        await read_plan(program({"event": "failed", "message": "nothing here"}))
    assert await read_plan(program({"files": 3})) == {"files": 3}


async def test_a_plan_that_nobody_waits_for_ends_in_good_order(tmp_path: Path) -> None:
    begun, tidied = tmp_path / "begun", tmp_path / "tidied"
    os.mkfifo(begun)
    plan = program(
        after="import signal\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"try:\n    open({str(begun)!r}, 'w').close()\n    signal.pause()\n"
        f"finally:\n    open({str(tidied)!r}, 'w').close()\n"
    )
    asked = asyncio.ensure_future(read_plan(plan))
    async with asyncio.timeout(WAIT_S):
        await asyncio.to_thread(begun.read_bytes)  # opens when the other end is opened
        asked.cancel()
        await asyncio.wait([asked])
    assert asked.cancelled() and tidied.exists()


def test_a_run_imports_nothing_from_the_folder_that_is_open() -> None:
    assert command_line(Path("/work"))[1:4] == ["-P", "-m", "diffusion"]


async def test_what_is_not_told_to_its_end_is_a_run_still() -> None:
    """The process is gone, and how it ended is being told."""
    refused: list[bool] = []

    def on_event(event: dict[str, Any]) -> None:
        assert not job.active
        another = job.start(program())
        try:
            another.send(None)
        except TrainingUnavailable:
            refused.append(True)
        finally:
            another.close()

    job = TrainingJob(on_event)
    await job.start(program())
    await over(job)
    assert refused == [True] and job.last["event"] == "failed"


@pytest.mark.parametrize("own", ["/one:/two", ""])
async def test_the_users_path_of_modules_is_kept_behind_ours(
    own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", own.replace(":", os.pathsep))
    says = (
        "import json, os\n"
        "print(json.dumps({'event': 'done', 'path': os.environ['PYTHONPATH']}), flush=True)\n"
    )
    job = TrainingJob(lambda event: None)
    await job.start(program(after=says))
    await over(job)
    here = str(Path(__file__).resolve().parents[3])
    assert job.last["path"].split(os.pathsep) == [here, *filter(None, own.split(":"))]
