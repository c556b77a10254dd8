"""What a run keeps for itself and for others, and what happens when it cannot."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from diffusion.cancel import CancelToken
from diffusion.data.open_corpus import pack_paths
from diffusion.data.packs import write_packs
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import ConfigError, CorpusError, TokenizerError, TrainingError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints, growing_corpus
from diffusion.train.config import Budget
from diffusion.train.export import export_carried, export_checkpoint
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.pretrain import pretrain
from diffusion.train.run_log import RunLog, read_status
from diffusion.train.stages import plan
from diffusion.train.weight_export import newest_export
from tests.support.disk import smallest_files
from tests.unit.train.tiny import CONFIG, OFTEN

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
BUDGET = Budget(tokens=2_000)
pytestmark = pytest.mark.usefixtures("tiny_recipe")


class Events(CancelToken):
    """Collects events, and stops the run (cancels it, or fills the disk) after `steps` of them."""

    __slots__ = ("all", "steps")

    def __init__(self, steps: int = 10**9) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []
        self.steps = steps

    def __call__(self, event: dict[str, Any]) -> None:
        self.all.append(event)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.all if event["event"] == kind]

    @property
    def is_cancelled(self) -> bool:
        return len(self.of("train")) >= self.steps


def run(corpus: Path, out: Path, events: Events, config: Any = CONFIG, **more: Any) -> None:
    pretrain(
        corpus, out, TOKENIZER, config, more.pop("budget", BUDGET), report=events, cancel=events,
        **more,
    )  # fmt: skip


def stored(out: Path, name: str) -> dict[str, torch.Tensor]:
    newest = checkpoints.newest(out)
    assert newest is not None
    return load_file(newest / f"{name}.safetensors")


def test_another_machine_goes_on_from_an_export(corpus: Path, tmp_path: Path) -> None:
    first, second = Events(steps=4), Events()
    run(corpus, tmp_path / "one", first, OFTEN)
    export = newest_export(tmp_path / "one" / "exports")
    assert export is not None and export.name == "export-4"
    run(corpus, tmp_path / "two", second, OFTEN, resume_export=export)
    (resumed,) = second.of("resumed")
    assert (resumed["step"], resumed["tokens"]) == (4, first.of("train")[-1]["tokens"])
    steps = second.of("train")
    assert steps[0]["step"] == 5 and steps[-1]["tokens"] >= 2_000
    assert steps[0]["lr_scale"] == 0.5 and steps[1]["lr_scale"] == 1.0  # warms up again
    # Its own checkpoint comes before the export once there is one.
    third = Events()
    run(corpus, tmp_path / "two", third, OFTEN, resume_export=export, budget=Budget(tokens=2_400))
    assert third.of("resumed")[0]["step"] == steps[-1]["step"]


def test_an_export_becomes_a_model_folder_and_a_start(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path / "one", Events(steps=2), OFTEN)
    export = newest_export(tmp_path / "one" / "exports")
    assert export is not None
    export_carried(export, tmp_path / "model", bundled_tokenizer_path(), None)
    served = load_file(tmp_path / "model" / "model.safetensors")
    frozen = replace(CONFIG, optimiser=OptimiserConfig(matrix_lr=0.0, other_lr=0.0))
    budget = Budget(tokens=300)
    run(corpus, tmp_path / "two", Events(), frozen, start_from=export, budget=budget)
    weights = stored(tmp_path / "two", "weights")
    both = weights.keys() & served.keys()
    assert both and all(torch.equal(weights[name], served[name].float()) for name in both)
    export_checkpoint(
        tmp_path / "two", tmp_path / "second", bundled_tokenizer_path(), None, recipe=CONFIG.recipe
    )
    seen = [
        json.loads((tmp_path / name / "manifest.json").read_text("utf-8"))["tokens_seen"]
        for name in ("model", "second")
    ]
    assert seen[1] - seen[0] == read_status(tmp_path / "two")["tokens"] > 0


@pytest.mark.slow
def test_the_average_is_exported_and_survives_a_resume(corpus: Path, tmp_path: Path) -> None:
    config = replace(OFTEN, ema_decay=0.9)
    run(corpus, tmp_path / "whole", Events(), config)
    run(corpus, tmp_path / "parts", Events(steps=3), config)
    run(corpus, tmp_path / "parts", Events(), config)
    for name in ("weights", "average"):
        whole, parts = stored(tmp_path / "whole", name), stored(tmp_path / "parts", name)
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
    weights, average = stored(tmp_path / "whole", "weights"), stored(tmp_path / "whole", "average")
    both = weights.keys() & average.keys()  # a tied weight may go by either name
    assert both and not any(torch.equal(weights[key], average[key]) for key in both)


def test_status_says_how_the_run_is(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path, Events(steps=3), replace(OFTEN, stages=plan("full", 128)))
    status = read_status(tmp_path)
    assert status["state"] == "stopped" and status["alive"]  # the process is this one
    assert status["stage"] == "causal"
    assert status["newest_export"].endswith("export-3")
    assert status["tokens_per_s"] > 0 and status["eta_minutes"] > 0
    run(corpus, tmp_path, Events(), replace(OFTEN, stages=plan("full", 128)))
    status = read_status(tmp_path)
    assert (status["state"], status["stage"]) == ("done", "decay")
    with pytest.raises(TrainingError, match="there is no run in"):
        read_status(tmp_path / "nowhere")


def test_wall_time_counts_over_all_starts(corpus: Path, tmp_path: Path) -> None:
    budget = Budget(tokens=10_000, minutes=60.0)
    run(corpus, tmp_path, Events(steps=3), budget=budget)
    newest = checkpoints.newest(tmp_path)
    assert newest is not None
    state = json.loads((newest / "state.json").read_text())
    state["seconds_trained"] += 3_600.0
    (newest / "state.json").write_text(json.dumps(state))
    events = Events()
    run(corpus, tmp_path, events, budget=budget)
    assert not events.of("train") and events.of("done")


def test_too_small_budgets_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--tokens 100 is less than one batch of 256"):
        run(corpus, tmp_path, Events(), budget=Budget(tokens=100))
    with pytest.raises(ConfigError, match=r"too few to warm up and decay; give at least"):
        run(corpus, tmp_path, Events(), budget=Budget(minutes=1e-4))
    assert read_status(tmp_path)["state"] == "failed"


def test_a_full_disk_costs_a_warning_until_the_end(corpus: Path, tmp_path: Path) -> None:
    events = Events(steps=3)
    run(corpus, tmp_path, events, OFTEN)
    good = checkpoints.newest(tmp_path)
    full = Events(steps=3)
    with smallest_files(100_000), pytest.raises(TrainingError, match="previous checkpoint is unt"):
        run(corpus, tmp_path, full, OFTEN)
    assert len(full.of("train")) == 3
    assert {"step-5", "export-5"} <= {
        word.rpartition("/")[2] for e in full.of("warning") for word in e["message"].split()
    }
    assert checkpoints.newest(tmp_path) == good
    run(corpus, tmp_path, Events(), OFTEN)
    assert read_status(tmp_path)["state"] == "done"


def small_packs(corpus: Path, root: Path) -> list[Path]:
    """Packs of 5,000 bytes of this corpus in root/packs."""
    shards = ShardSet.open(corpus, "train")
    (root / "cut").mkdir()
    for name in shards.languages:
        ids = shards.document(name, 0)
        short = [ids[at : at + 150] for at in range(0, len(ids), 150)]
        write_shard(root / "cut" / f"train-{name}-000.bin", short)
        write_shard(root / "cut" / f"validation-{name}-000.bin", short[:1])
    write_packs(root / "cut", root / "packs", tokenizer_hash=TOKENIZER.hash, max_bytes=5_000)
    return pack_paths(root / "packs")


def test_packs_train_and_those_that_come_later_are_used(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_corpus, "_LOOK_EVERY_S", 0.0)
    *early, late = small_packs(corpus, tmp_path)
    whole = late.read_bytes()
    late.unlink()

    class Arriving(Events):
        """The last pack is being copied from the first step on, and there from the third on."""

        __slots__ = ()

        def __call__(self, event: dict[str, Any]) -> None:
            super().__call__(event)
            if event["event"] == "train":
                late.write_bytes(whole if event["step"] >= 3 else whole[:-1])

    events = Arriving()
    run(tmp_path / "packs", tmp_path / "run", events)
    opened = [(e["open"], e["of"]) for e in events.of("packs")]
    assert opened == [(len(early), len(early) + 1), (len(early) + 1, len(early) + 1)]
    assert len(events.of("warning")) == 2
    assert f"{late.name} is truncated" in events.of("warning")[0]["message"]
    assert events.of("done")


def test_all_processes_have_the_same_packs_open(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing_corpus, "_LOOK_EVERY_S", 0.0)
    packs = small_packs(corpus, tmp_path)
    hidden = packs[-1].rename(tmp_path / "hidden")
    count, events = len(packs), Events()
    # How many packs the other process sees, whether that is as many as here, whether they open.
    other = iter([count - 1, 0.0, count, 1.0, 0.0, count, 1.0, 1.0])
    found = growing_corpus.GrowingCorpus(
        tmp_path / "packs", TOKENIZER.hash, RunLog(tmp_path, events, enabled=True),
        processes=2, add_up=lambda value: value + next(other),
    )  # fmt: skip
    hidden.rename(packs[-1])
    assert [found.grew(1.0) for _ in range(3)] == [False, False, True]
    assert "another process of this run cannot open them" in events.of("warning")[0]["message"]
    assert found.now.packs == count and len(events.of("warning")) == 1 and not list(other)


def test_bad_packs_end_a_run_before_it_begins(corpus: Path, tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    write_packs(corpus, packs, tokenizer_hash="other", max_bytes=10**6)
    with pytest.raises(TokenizerError, match="made with tokenizer other"):
        run(packs, tmp_path / "run", Events())
    (path,) = pack_paths(packs)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorpusError, match="is truncated"):
        run(packs, tmp_path / "run", Events())
    assert checkpoints.newest(tmp_path / "run") is None
