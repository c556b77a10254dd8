"""A run's checkpoints on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from diffusion.errors import TrainingError
from diffusion.train.tune_checkpoint import TRAINED, Checkpoint, TuneState, newest, save
from tests.support.disk import smallest_files


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(TuneState(step=step), {TRAINED: {"a": torch.full((4,), float(step))}})


def test_a_damaged_checkpoint_is_written_anew(tmp_path: Path) -> None:
    save(tmp_path, checkpoint(2))
    file = save(tmp_path, checkpoint(3)) / "trained.safetensors"
    sound = file.stat().st_mtime_ns
    save(tmp_path, checkpoint(3))
    assert file.stat().st_mtime_ns == sound, "a sound one stays as it is"
    file.write_bytes(file.read_bytes()[:-1])
    found = newest(tmp_path)
    assert found is not None and found.state.step == 2
    save(tmp_path, checkpoint(3))
    found = newest(tmp_path)
    assert found is not None and found.state.step == 3


def test_what_was_found_out_between_two_steps_takes_the_place_of_the_older(
    tmp_path: Path,
) -> None:
    save(tmp_path, checkpoint(0))
    knows = replace(checkpoint(0).state, base_loss=4.5)
    save(tmp_path, replace(checkpoint(0), state=knows))
    found = newest(tmp_path)
    assert found is not None and found.state == knows
    chosen = replace(knows, rate=0.1, rate_losses={"0": 4.5, "0.1": None})
    with smallest_files(40), pytest.raises(TrainingError, match="the one before it is untouched"):
        save(tmp_path, replace(checkpoint(0), state=chosen))
    found = newest(tmp_path)
    assert found is not None and found.state == knows
    file = save(tmp_path, replace(checkpoint(0), state=chosen)) / "state.json"
    written = file.stat().st_ino
    save(tmp_path, replace(checkpoint(0), state=chosen))
    assert file.stat().st_ino == written, "the same state is not written twice"
    assert [path.name for path in tmp_path.iterdir()] == ["step-0"]
