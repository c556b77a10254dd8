"""One process or two, one pass or four: the same batches, the same loss, the same weights."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from diffusion.errors import ConfigError
from diffusion.model import architecture
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.config import Budget
from diffusion.train.daemon import environment
from diffusion.train.pretrain import pretrain
from diffusion.train.pretrain_cli import run_config
from diffusion.train.recipes import rows_per_pass
from tests.unit.train.tiny import CONFIG, TINY

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


def newest_of(out: Path) -> Path:
    newest = checkpoints.newest(out)
    assert newest is not None
    return newest


def result(out: Path) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Every step's loss, and the last weights."""
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    newest = newest_of(out)
    losses = [event["loss"] for event in events if event["event"] == "train"]
    return losses, load_file(newest / "weights.safetensors")


def assert_same(one: Path, other: Path) -> None:
    (losses, weights), (other_losses, other_weights) = result(one), result(other)
    assert len(losses) > 3
    assert losses == pytest.approx(other_losses, abs=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, other_weights[name], atol=1e-4, rtol=1e-3)


def test_passes_change_nothing(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architecture.RECIPES, "tiny", TINY)
    for name, rows in (("whole", None), ("passes", 1)):
        optimiser = replace(CONFIG.optimiser, name="adamw")  # Muon rounds to bfloat16 inside
        config = replace(CONFIG, rows_per_pass=rows, optimiser=optimiser)
        pretrain(corpus, tmp_path / name, TOKENIZER, config, Budget(tokens=1_200))
    assert_same(tmp_path / "whole", tmp_path / "passes")


def run(corpus: Path, out: Path, processes: int, rows: int, *options: str) -> None:
    """Train the tiny recipe on 512 tokens a step, `rows` rows at once in each process."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command = [
        sys.executable, *(launcher if processes > 1 else []), "-m", "tests.unit.train.tiny",
        "pretrain", "--corpus", str(corpus), "--out", str(out), "--recipe", "tiny",
        "--row-tokens", "128", "--batch-tokens", "512", "--rows", str(rows), "--tokens",
        "4000", "--workers", "0", "--threads", "1", "--sampled-cases", "0", "--log-every", "1",
        "--precision", "no", "--optimiser", "adamw", *options,
    ]  # fmt: skip
    env = {**environment(threads=1, accelerator=False), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, check=False, env=env, cwd=out.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(corpus: Path, tmp_path: Path) -> None:
    for processes, rows in ((1, 4), (2, 2), (2, 1)):  # the last in two passes each
        run(corpus, tmp_path / f"{processes}-{rows}", processes, rows)
    assert_same(tmp_path / "1-4", tmp_path / "2-2")
    assert_same(tmp_path / "1-4", tmp_path / "2-1")


@pytest.mark.slow
def test_shared_out_weights_learn_what_whole_ones_learn(corpus: Path, tmp_path: Path) -> None:
    averaged = ("--ema-decay", "0.9")
    run(corpus, tmp_path / "whole", 1, 4, *averaged)
    run(corpus, tmp_path / "shared", 2, 1, "--shard", *averaged)
    assert_same(tmp_path / "whole", tmp_path / "shared")
    averages = [checkpoints.load_average(newest_of(tmp_path / n)) for n in ("whole", "shared")]
    assert averages[0] is not None and averages[1] is not None
    for name, weight in averages[0].items():
        torch.testing.assert_close(weight, averages[1][name], atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_a_checkpoint_does_not_say_how_it_was_shared_out(corpus: Path, tmp_path: Path) -> None:
    orders = {"whole": ((), ()), "out": ((), ("--shard",)), "back": (("--shard",), ())}
    for name, starts in orders.items():
        for tokens, options in zip(("2000", "4000"), starts, strict=True):
            processes = 2 if options else 1
            run(corpus, tmp_path / name, processes, 4 // processes, *options, "--tokens", tokens)
    assert_same(tmp_path / "whole", tmp_path / "out")
    assert_same(tmp_path / "whole", tmp_path / "back")


def test_one_process_has_nobody_to_share_with(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architecture.RECIPES, "tiny", TINY)
    with pytest.raises(ConfigError, match="--processes"):
        pretrain(corpus, tmp_path, TOKENIZER, replace(CONFIG, shard=True), Budget(tokens=1_200))


def test_a_batch_is_given_in_tokens_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    alone = run_config("nano")
    assert (alone.batch.rows, alone.batch.row_tokens, alone.rows_per_pass) == (16, 512, 16)
    monkeypatch.setenv("WORLD_SIZE", "2")
    shared = run_config("nano")
    assert (shared.batch.rows, shared.rows_per_pass) == (16, 8)
    assert shared.fingerprint() == alone.fingerprint()
    assert run_config("nano", rows=10).batch.rows == 20
    assert run_config("small", batch_tokens=65_536, rows=8).rows_per_pass == 8
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv("WORLD_SIZE", "")
        assert run_config("nano") == alone, "as if it were not set"
        monkeypatch.setenv(name, "many")
        with pytest.raises(ConfigError, match=f"^{name} is 'many'; unset it"):
            run_config("nano")
        monkeypatch.delenv(name)


def test_passes_divide_a_share() -> None:
    assert rows_per_pass(128, 1, 64) == 64
    assert rows_per_pass(120, 2, 64) == 60
    assert rows_per_pass(14, 2, 4) == 1
