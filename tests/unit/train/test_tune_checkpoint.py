"""A run's checkpoints on the disk."""

from __future__ import annotations

from pathlib import Path

import torch

from diffusion.train.tune_checkpoint import TRAINED, Checkpoint, TuneState, newest, save


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
