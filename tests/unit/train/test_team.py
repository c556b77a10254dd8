"""Several processes tune as one would: the same weights, one adapter, one voice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.adapters.store import AdapterStore
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.daemon import environment
from diffusion.train.run_state import run_state
from diffusion.train.team import Team
from diffusion.train.tune_checkpoint import AVERAGE, TRAINED, newest
from diffusion.train.tune_cli import app
from tests.support.repositories import write_repository
from tests.unit.train.tuning import AUTO, tune, write_run

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
LAUNCHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")


def launch(*words: str, **more: str) -> list[dict[str, Any]]:
    """Start two processes, and give back the events that they print."""
    env = {**environment(threads=1, accelerator=False), "PYTHONPATH": str(ROOT), **more}
    done = subprocess.run(
        [*LAUNCHER, "-m", *words], check=False, env=env, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.slow
def test_two_processes_tune_as_one_does(tmp_path: Path, tiny_model_dir: Path) -> None:
    together = write_run(tmp_path, TOKENIZER)
    alone = Path(shutil.copytree(together, tmp_path / "alone"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    events: list[dict[str, Any]] = []
    tune(alone, tiny_model_dir, 4, config=AUTO, report=events.append)
    torch.set_num_threads(threads)
    told = launch("tests.unit.train.tuning", str(together), str(tiny_model_dir), "4", "auto")
    losses, others = (
        [event["loss"] for event in each if event["event"] in ("train", "validation")]
        for each in (events, told)
    )
    assert len(losses) > 5 and others == pytest.approx(losses, abs=1e-4)
    one, other = newest(alone), newest(together)
    assert one is not None and other is not None and other.state.step == 4
    assert one.state.rate_losses and other.state.rate == one.state.rate
    assert other.state.tokens_seen == one.state.tokens_seen
    for part in (TRAINED, AVERAGE):
        for name, tensor in one.tensors[part].items():
            torch.testing.assert_close(tensor, other.tensors[part][name], atol=1e-3, rtol=1e-2)


@pytest.mark.slow
def test_one_adapter_comes_of_two_processes(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", 8)
    events = launch(
        "diffusion", "train", str(root), "--json", "--minutes", "0.05", "--cases", "2", "--nice",
        "0", "--threads", "1", "--model", str(tiny_model_dir), "--name", "ours",
        "--learning-rate", "0.03", DIFFILL_DATA=os.environ["DIFFILL_DATA"],
    )  # fmt: skip
    kinds = [event["event"] for event in events]
    assert kinds.count("plan") == kinds.count("done") == 1
    assert kinds[-1] == "done" and run_state(home_of(root).run)["state"] == "done"
    found = AdapterStore(home_of(root)).entries(base_of(tiny_model_dir))
    names = [] if events[-1]["adapter"] is None else ["ours"]  # a few steps may gain nothing
    assert [(a.name, a.problem) for a in found] == [(name, None) for name in names]


def test_alone_nothing_changes() -> None:
    team = Team()
    assert (team.main, team.size, team.told(2.5), team.sums(1.0, 2.0)) == (True, 1, 2.5, (1.0, 2.0))
    team.wait()
    team.leave()


def test_keeping_up_is_for_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = CliRunner().invoke(app, [str(tmp_path), "--keep-up", "--nice", "0"])
    assert answer.exit_code == 2 and "--keep-up works in one process" in answer.stderr
