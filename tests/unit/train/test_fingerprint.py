"""Runs of older versions go on; runs with other settings do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from diffusion.data.batches import BatchConfig
from diffusion.train.config import PretrainConfig
from diffusion.train.fingerprint import differences, other_rates
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.stages import STAGES, plan

NEWER = (
    "noisings", "selective", "complementary", "ema_decay", "one_line", "free_sizes", "version",
)  # fmt: skip


def as_stored_before(value: Any) -> Any:
    """A fingerprint without what version 1 did not know."""
    if isinstance(value, dict):
        return {k: as_stored_before(v) for k, v in value.items() if k not in NEWER}
    return [as_stored_before(v) for v in value] if isinstance(value, list) else value


def stored(config: PretrainConfig) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(config.fingerprint()))
    return found


def test_a_run_agrees_with_itself() -> None:
    assert not differences(stored(PretrainConfig()), PretrainConfig().fingerprint())


def test_a_run_of_version_1_goes_on() -> None:
    one_process = PretrainConfig(batch=BatchConfig(rows=10), stages=STAGES)
    both = replace(one_process, batch=BatchConfig(rows=20))
    old = as_stored_before(stored(one_process))
    assert not differences(old, one_process.fingerprint())
    assert not differences(old, both.fingerprint())
    assert differences(old, replace(both, batch=BatchConfig(rows=15)).fingerprint()) == ["batch"]


@pytest.mark.parametrize("selective", [False, True])
def test_a_run_that_chose_its_windows_by_other_digits_does_not_go_on(selective: bool) -> None:
    config = PretrainConfig(batch=BatchConfig(selective=selective))
    old = stored(config) | {"version": 2}
    assert differences(old, config.fingerprint()) == ["version"] * selective
    stages = replace(PretrainConfig(), stages=(replace(STAGES[0], selective=selective),))
    old = stored(stages) | {"version": 2}
    assert differences(old, stages.fingerprint()) == ["version"] * selective


def test_what_differs_is_named() -> None:
    old = as_stored_before(stored(PretrainConfig()))
    wanted = replace(PretrainConfig(), seed=3, stages=plan("full", 512), ema_decay=0.99)
    assert differences(old, wanted.fingerprint()) == ["ema_decay", "seed", "stages"]


def test_rates_may_change_and_are_told() -> None:
    old = stored(PretrainConfig())
    lower = PretrainConfig(optimiser=OptimiserConfig(matrix_lr=0.001, other_lr=0.002))
    assert not differences(old, lower.fingerprint())
    assert other_rates(old, lower.fingerprint()) == {
        "matrix_lr": (0.01, 0.001), "other_lr": (0.0015, 0.002),
    }  # fmt: skip
    assert old == stored(PretrainConfig())
    warmer = PretrainConfig(optimiser=OptimiserConfig(matrix_lr=0.001, warmup_steps=7))
    assert differences(old, warmer.fingerprint()) == ["optimiser"]


def test_what_only_sets_the_pace_may_change() -> None:
    free = replace(
        PretrainConfig(), compile=True, attention="sdpa", rows_per_pass=2, workers=7,
        export_every_minutes=1.0,
    )  # fmt: skip
    assert not differences(stored(PretrainConfig()), free.fingerprint())
