"""The loop on a toy corpus: it learns, resumes bit for bit, and refuses what it must refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from diffusion.cancel import CancelToken
from diffusion.errors import ModelError, TrainingError
from diffusion.model.manifest import Manifest
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.config import Budget
from diffusion.train.control import LOCK_FILE
from diffusion.train.daemon import environment
from diffusion.train.export import export_checkpoint
from diffusion.train.folder_lock import held
from diffusion.train.optimisers import OptimiserConfig, lr_scale
from diffusion.train.plots import plot_run, read_log
from diffusion.train.pretrain import pretrain
from diffusion.train.weight_export import newest_export
from tests.unit.train.tiny import CONFIG

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
pytestmark = pytest.mark.usefixtures("tiny_recipe")


def weights(out: Path) -> dict[str, torch.Tensor]:
    newest = checkpoints.newest(out)
    assert newest is not None
    return load_file(newest / "weights.safetensors")


def test_loss_falls_and_every_figure_is_logged(corpus: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=6000), report=events.append)
    losses = [e["loss"] for e in events if e["event"] == "train"]
    assert sum(losses[-4:]) / 4 < sum(losses[:4]) / 4 - 0.3
    check = next(e for e in events if e["event"] == "validation")
    assert set(check["by_share"]) == {"1.0", "0.5", "0.15"}
    assert {"python", "rust", "go"} <= set(check["by_language"])
    assert json.loads((tmp_path / "status.json").read_text())["event"] == "done"
    assert read_log(tmp_path / "log.jsonl") == events


class StopAfter(CancelToken):
    """Cancelled once it has been asked `steps` times, that is, after as many steps."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    @property
    def is_cancelled(self) -> bool:
        self._left -= 1
        return self._left <= 0


def test_resume_is_bit_exact(corpus: Path, tmp_path: Path) -> None:
    budget = Budget(tokens=2000)
    pretrain(corpus, tmp_path / "whole", TOKENIZER, CONFIG, budget)
    pretrain(corpus, tmp_path / "parts", TOKENIZER, CONFIG, budget, cancel=StopAfter(4))
    assert checkpoints.newest(tmp_path / "parts") == tmp_path / "parts" / "step-4"
    pretrain(corpus, tmp_path / "parts", TOKENIZER, CONFIG, budget)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_run_with_other_settings_is_not_resumed(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))
    with pytest.raises(TrainingError, match="another seed; use the same options"):
        pretrain(corpus, tmp_path, TOKENIZER, replace(CONFIG, seed=5), Budget(tokens=900))


def test_a_run_goes_on_with_other_rates_and_says_so(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))
    before = weights(tmp_path)
    events: list[dict[str, Any]] = []
    frozen = replace(CONFIG, optimiser=replace(CONFIG.optimiser, matrix_lr=0.0, other_lr=0.0))
    pretrain(corpus, tmp_path, TOKENIZER, frozen, Budget(tokens=900), report=events.append)
    assert [e["message"] for e in events if e["event"] == "warning"] == [
        "the run goes on with matrix_lr 0, not 0.01", "the run goes on with other_lr 0, not 0.0015",
    ]  # fmt: skip
    after = weights(tmp_path)
    assert all(torch.equal(before[name], after[name]) for name in before)


def rewritten(path: Path, **changes: Any) -> None:
    found = {**json.loads(path.read_text("utf-8")), **changes}
    kept = {name: value for name, value in found.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def test_weights_of_another_vocabulary_are_refused(corpus: Path, tmp_path: Path) -> None:
    config, budget = replace(CONFIG, export_every_minutes=60.0), Budget(tokens=300)
    pretrain(corpus, tmp_path / "one", TOKENIZER, config, budget)
    step = checkpoints.newest(tmp_path / "one")
    export = newest_export(tmp_path / "one" / "exports")
    assert step is not None and export is not None
    both = f"trained with tokenizer theirs, this run uses {TOKENIZER.hash}"
    for folder, about in ((step, "state.json"), (export, "export.json")):
        rewritten(folder / about, tokenizer_hash="theirs")
        with pytest.raises(TrainingError, match=both):
            pretrain(corpus, tmp_path / "two", TOKENIZER, config, budget, start_from=folder)
    with pytest.raises(TrainingError, match=both):
        pretrain(corpus, tmp_path / "one", TOKENIZER, config, budget)
    with pytest.raises(TrainingError, match=both):
        export_checkpoint(
            tmp_path / "one", tmp_path / "model", bundled_tokenizer_path(), None, recipe="tiny"
        )
    # Checkpoints of older versions say nothing of vocabulary and digests.
    rewritten(step / "state.json", tokenizer_hash=None, sha256=None)
    pretrain(corpus, tmp_path / "one", TOKENIZER, config, Budget(tokens=900))


def test_two_runs_do_not_share_a_folder(corpus: Path, tmp_path: Path) -> None:
    with held(tmp_path), pytest.raises(TrainingError, match="a run is at work in"):
        pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]  # nothing of theirs is touched
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))


def test_a_stage_starts_from_the_weights_of_another_run(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path / "one", TOKENIZER, CONFIG, Budget(tokens=600))
    first = checkpoints.newest(tmp_path / "one")
    frozen = replace(CONFIG, optimiser=OptimiserConfig(matrix_lr=0.0, other_lr=0.0, warmup_steps=1))
    pretrain(corpus, tmp_path / "two", TOKENIZER, frozen, Budget(tokens=300), start_from=first)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.equal(one[name], two[name]) for name in one)
    second = checkpoints.newest(tmp_path / "two")
    assert first is not None and second is not None
    told = [json.loads((step / "state.json").read_text("utf-8")) for step in (first, second)]
    assert told[1]["tokens_before"] == told[0]["tokens_seen"] > 0
    steps = [after["step"] for after in told]
    assert told[0]["next_batch"] == steps[0] > 0
    assert told[1]["next_batch"] == sum(steps), "rows of the first run come again in the second"
    (second / "state.json").write_text("[]", encoding="utf-8")
    with pytest.raises(TrainingError, match="name a step-<n> folder"):
        pretrain(
            corpus, tmp_path / "four", TOKENIZER, CONFIG, Budget(tokens=300), start_from=second
        )
    with pytest.raises(TrainingError, match="name a step-<n> folder"):
        pretrain(
            corpus, tmp_path / "three", TOKENIZER, CONFIG, Budget(tokens=300),
            start_from=tmp_path / "nowhere",
        )  # fmt: skip


def test_nan_stops_the_run_and_spares_the_checkpoint(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))
    good = checkpoints.newest(tmp_path)
    assert good is not None
    wild = replace(CONFIG, optimiser=OptimiserConfig(matrix_lr=1e30, other_lr=1e30, warmup_steps=1))
    with pytest.raises(TrainingError, match=r"at step \d+; start again with a lower --matrix-lr"):
        pretrain(corpus, tmp_path / "wild", TOKENIZER, wild, Budget(tokens=9000), start_from=good)
    assert checkpoints.newest(tmp_path / "wild") is None
    wild = replace(CONFIG, optimiser=replace(CONFIG.optimiser, matrix_lr=1e30, other_lr=1e30))
    with pytest.raises(TrainingError, match=f"{good} is good: go on .* lower --matrix-lr"):
        pretrain(corpus, tmp_path, TOKENIZER, wild, Budget(tokens=9000))
    assert checkpoints.newest(tmp_path) == good
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=900))  # as was advised


def test_damaged_checkpoint_is_named(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=300))
    newest = checkpoints.newest(tmp_path)
    assert newest is not None
    file = newest / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TrainingError, match="delete it to go on from an older one"):
        pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=900))


@pytest.mark.parametrize("name", ["weights", "optimiser-0", "average"])
def test_a_flipped_bit_is_seen(corpus: Path, tmp_path: Path, name: str) -> None:
    config, budget = replace(CONFIG, ema_decay=0.9), Budget(tokens=300)
    pretrain(corpus, tmp_path, TOKENIZER, config, budget)
    newest = checkpoints.newest(tmp_path)
    assert newest is not None
    file = newest / f"{name}.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    differs = f"the SHA-256 of {name}.safetensors differs"
    with pytest.raises(TrainingError, match=differs):
        pretrain(corpus, tmp_path, TOKENIZER, config, Budget(tokens=900))
    if name != "optimiser-0":  # what a start from these weights does not read
        with pytest.raises(TrainingError, match=differs):
            pretrain(corpus, tmp_path / "next", TOKENIZER, config, budget, start_from=newest)


def test_an_unfinished_checkpoint_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".part-7-1").mkdir()
    assert checkpoints.newest(tmp_path) is None


def test_rate_warms_up_stays_and_decays() -> None:
    config = OptimiserConfig(warmup_steps=10, decay_share=0.5, final_scale=0.1)
    assert lr_scale(0, 0.0, config) == pytest.approx(0.1)
    assert lr_scale(50, 0.5, config) == 1.0
    assert lr_scale(90, 0.75, config) == pytest.approx(0.5)
    assert lr_scale(99, 1.0, config) == pytest.approx(0.1)


def test_unknown_recipe_names_the_known_ones(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nano, small, base"):
        pretrain(corpus, tmp_path, TOKENIZER, replace(CONFIG, recipe="huge"), Budget(tokens=10))


def test_curves_are_drawn(corpus: Path, tmp_path: Path) -> None:
    pretrain(corpus, tmp_path, TOKENIZER, CONFIG, Budget(tokens=600))
    plot_run(tmp_path / "log.jsonl", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_run_without_a_picture_has_its_model(corpus: Path, tmp_path: Path) -> None:
    bare, run, model = (tmp_path / name for name in ("bare", "run", "model"))
    bare.mkdir()
    (bare / "matplotlib.py").write_text("raise ModuleNotFoundError('none', name='matplotlib')")
    run.mkdir()
    (run / "log.jsonl").write_text('{"event": "tra')  # of a start that was killed
    command = [
        sys.executable, "-m", "tests.unit.train.tiny", "pretrain", "--corpus", str(corpus),
        "--out", str(run), "--export", str(model), "--recipe", "tiny", "--row-tokens", "128",
        "--batch-tokens", "256", "--tokens", "6000", "--workers", "0", "--threads", "1",
        "--sampled-cases", "0", "--precision", "no",
    ]  # fmt: skip
    env = {
        **environment(threads=1, accelerator=False),
        "PYTHONPATH": os.pathsep.join((str(bare), str(ROOT))),
    }
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "warning: no loss.png" in done.stderr
    assert Manifest.read(model) is not None
