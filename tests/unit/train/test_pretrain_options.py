"""Numbers and names that make no run are refused, by the option and with what would do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.data.batches import BatchConfig
from diffusion.data.shards import write_shard
from diffusion.errors import ConfigError
from diffusion.model import architecture
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import recipes
from diffusion.train.config import Budget
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.pretrain import pretrain
from diffusion.train.pretrain_cli import app, language_weights, run_config
from diffusion.train.recipes import builders
from tests.unit.train.tiny import CONFIG, TINY

NAN = float("nan")


def test_budgets() -> None:
    assert Budget(tokens=100).progress(50, 0.0) == 0.5
    assert Budget(tokens=100, minutes=1).progress(10, 30.0) == 0.5
    assert Budget(minutes=1).progress(10**9, 90.0) == 1.0
    with pytest.raises(ConfigError, match="--tokens, --minutes or both"):
        Budget()
    for value in (-1.0, 0.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=f"--minutes is {value}; give a number above 0"):
            Budget(minutes=value)


def test_weights_of_languages() -> None:
    assert language_weights(["java=1.5", "c = 0.5"]) == {"java": 1.5, "c": 0.5}
    for wrong in ("java", "java=", "java=much", "java=0", "java=-1", "java=inf", "java=nan"):
        with pytest.raises(ConfigError, match=f"--language-weight is '{wrong}'; give LANGUAGE="):
            language_weights([wrong])


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("--row-tokens", {"batch": BatchConfig(row_tokens=63)}),
        ("--batch-tokens", {"batch": BatchConfig(rows=0)}),
        ("--noisings", {"batch": BatchConfig(noisings=0)}),
        ("--rows", {"rows_per_pass": 0}),
        ("--workers", {"workers": -1}),
        ("--log-every", {"log_every_steps": 0}),
        ("--save-every-minutes", {"save_every_minutes": NAN}),
        ("--validate-every-minutes", {"validate_every_minutes": -1.0}),
        ("--export-every-minutes", {"export_every_minutes": NAN}),
        ("--ema-decay", {"ema_decay": NAN}),
        ("--ema-decay", {"ema_decay": -1.0}),
        ("--ema-decay", {"ema_decay": 1.0}),
        ("--attention", {"attention": "foo"}),
    ],
)
def test_numbers_that_make_no_run_are_refused(option: str, change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"^{option} is .*; (give|choose) "):
        replace(CONFIG, **change)


@pytest.mark.parametrize(
    ("option", "change"),
    [
        ("--matrix-lr", {"matrix_lr": NAN}),
        ("--matrix-lr", {"matrix_lr": -1.0}),
        ("other_lr", {"other_lr": float("inf")}),
        ("--decay-share", {"decay_share": NAN}),
        ("--decay-share", {"decay_share": -1.0}),
        ("--decay-share", {"decay_share": 1.5}),
        ("clip_norm", {"clip_norm": 0.0}),
    ],
)
def test_rates_that_are_none_are_refused(option: str, change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"^{option} is .*; give "):
        OptimiserConfig(**change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "option", ["--rows=0", "--noisings=0", "--sampled-cases=-1", "--workers=-1", "--threads=-1"]
)
def test_the_command_refuses_them_by_name(option: str) -> None:
    answer = CliRunner().invoke(app, ["--corpus", "C", "--out", "O", "--tokens", "9000", option])
    assert answer.exit_code == 2 and option.partition("=")[0] in answer.stderr


def test_an_accelerator_is_fed_by_all_other_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "cores", lambda: 16)
    assert builders(1, accelerator=True) == 15
    assert builders(4, accelerator=True) == 3
    assert builders(32, accelerator=True) == builders(1, accelerator=False) == 1
    assert run_config("nano").workers == 1


def test_the_rate_of_adamw_alone_follows_too() -> None:
    assert run_config("nano").optimiser.adamw_only_lr == OptimiserConfig().adamw_only_lr
    half = run_config("nano", matrix_lr=OptimiserConfig().matrix_lr / 2).optimiser
    assert half.adamw_only_lr == OptimiserConfig().adamw_only_lr / 2


def test_a_corpus_without_anything_to_learn_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architecture.RECIPES, "tiny", TINY)
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    for split in ("train", "validation"):
        write_shard(tmp_path / f"{split}-python-000.bin", [tokenizer.encode(b"x = 1\n")])
    why = "10 batches in a row hold nothing .* rows of 128 tokens; give more with --row-tokens"
    with pytest.raises(ConfigError, match=why):
        pretrain(tmp_path, tmp_path / "run", tokenizer, CONFIG, Budget(tokens=9000))


def test_an_unknown_optimiser_is_none() -> None:
    with pytest.raises(ConfigError, match=r"no optimiser 'sgd'.* muon, adamw"):
        OptimiserConfig(name="sgd")


@pytest.mark.parametrize(
    ("words", "useless"),
    [
        (["--status", "R", "--daemon"], "--daemon"),
        (["--status", "R", "--corpus", "C", "--seed", "0"], "--corpus and --seed"),
        (["--corpus", "C", "--resume-from-export", "E", "--export", "M", "--tokens", "9"],
         "--tokens"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(words: list[str], useless: str) -> None:
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2 and answer.stdout == ""
    assert f"error: {useless} would do nothing here; leave it out" in answer.stderr


def test_lines_are_not_broken_inside_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere" / "/".join(["a folder with a name"] * 8)
    answer = CliRunner().invoke(app, ["--status", str(folder)])
    assert answer.exit_code == 2 and str(folder) in answer.stderr
    assert answer.stderr.count("\n") == 1
