"""A model's path that no system takes: training says what to set, and the server goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from diffusion.adapters.home import home_of
from lsp_server.errors import TrainingUnavailable
from lsp_server.features import train
from lsp_server.training.job import TrainingJob, read_plan
from tests.support.lsp_wire import Wire
from tests.support.runs import over, program

SCRIPT = ()
pytestmark = pytest.mark.usefixtures("repository")
ODD = pytest.mark.parametrize("path", ["/models/a\0b", "/models/a\ud800b"])


@ODD
async def test_no_process_is_begun_with_it(path: str) -> None:
    job = TrainingJob(lambda event: None)
    with pytest.raises(TrainingUnavailable, match=r"set diffill\.model\.path"):
        await job.start([sys.executable, path])
    with pytest.raises(TrainingUnavailable, match=r"set diffill\.model\.path"):
        await read_plan([sys.executable, path])
    await job.start(program({"event": "done"}))  # it was no run
    await over(job)
    assert job.last == {"event": "done"}


@ODD
async def test_who_asks_is_told_and_what_nobody_asked_for_is_logged(
    wire: Wire, repository: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.initialize(
        rootUri=repository.as_uri(), initializationOptions={"train": {"autoResume": True}}
    )
    wire.server.session.configure({"model": {"path": path}, "train": {"autoResume": True}})
    for method in ("diffill/train/start", "diffill/train/plan"):
        refused = await wire.response(wire.request(method))
        assert "set diffill.model.path" in refused["error"]["message"]
    training = wire.server.training
    await training._keep_up(repository)
    assert "no run by itself: the path of the model is none" in caplog.text
    run = home_of(repository).run
    run.mkdir(parents=True)
    (run / "status.json").write_text('{"state": "stopped"}')
    for begun_with in ({"base": "0" * 64, "model": "/models/other"}, {}):
        caplog.clear()
        (run / "config.json").write_text(json.dumps(begun_with))
        await train.go_on(wire.server)
        assert "does not go on: the path of the model is none" in caplog.text
    assert training.repository is None and not training.job.active
