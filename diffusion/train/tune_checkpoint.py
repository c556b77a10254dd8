"""Checkpoints of a tuning run: everything it needs to go on bit for bit, after any kind of end.

A folder `step-<n>` with the weights under training, the optimiser, the average and the best so
far as safetensors, and `state.json` with the SHA-256 of each. It is forced to the disk under
another name and then renamed; older ones go only afterwards. A damaged newest one is passed over
for the one before. What is found out between two steps, such as the base model's own loss, makes
another checkpoint of the same step, which takes the place of the one that did not know it.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from diffusion.adapters.durable import PART, owned, remove_parts, write_folder
from diffusion.errors import TrainingError

STATE_FILE = "state.json"
TRAINED, OPTIMISER, AVERAGE, BEST = "trained", "optimiser", "average", "best"
PARTS = (TRAINED, OPTIMISER, AVERAGE, BEST)
_NAME = re.compile(r"^step-(\d+)$")
_KEPT = 2
_DAMAGE = (OSError, ValueError, KeyError, TypeError, SafetensorError)


@dataclass(frozen=True, slots=True)
class TuneState:
    """How far a run is, and what it has found."""

    step: int = 0
    tokens_seen: int = 0
    seconds_trained: float = 0.0
    base_loss: float | None = None
    best_loss: float | None = None
    best_step: int = 0
    last_validated_step: int = -1
    without_gain: int = 0
    rate_scale: float = 1.0
    """Halved by every measurement without a gain."""
    general_base_loss: float | None = None
    general_best_loss: float | None = None
    rate: float | None = None
    """The peak rate; None before it was chosen."""
    rate_why: str = ""
    rate_losses: dict[str, float | None] = field(default_factory=dict)
    """What the test of learning rates found (`rate_test.ChosenRate`)."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in memory."""

    state: TuneState
    tensors: dict[str, dict[str, Tensor]] = field(default_factory=dict)


def save(run: Path, checkpoint: Checkpoint) -> Path:
    """Write a checkpoint, unless there is a sound one of this state.

    Raises TrainingError if the disk refuses; older ones stay then.
    """
    target = run / f"step-{checkpoint.state.step}"
    if target.is_dir():
        try:
            there = _load(target)
        except _DAMAGE:
            shutil.rmtree(target, ignore_errors=True)
        else:
            if there.state == checkpoint.state:
                return target
    files = {
        f"{name}.safetensors": save_tensors(checkpoint.tensors.get(name, {})) for name in PARTS
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    state = {"state": asdict(checkpoint.state), "sha256": digests}
    aside = owned(run, PART)
    try:
        remove_parts(run)
        if target.is_dir():
            target.rename(aside)
        write_folder(target, {**files, STATE_FILE: json.dumps(state, indent=1).encode()})
    except OSError as error:
        with suppress(OSError):  # there was none of this step
            aside.rename(target)
        raise TrainingError(
            f"checkpoint {target} could not be written ({error.strerror}); the one before it is "
            "untouched",
            fix="free some disk space and run `diffill train` again, it goes on from there",
        ) from error
    for old in (aside, *_steps(run)[_KEPT:]):
        shutil.rmtree(old, ignore_errors=True)
    return target


def newest(run: Path) -> Checkpoint | None:
    """The newest sound checkpoint, None where there is none. TrainingError if all are bad."""
    found = _steps(run)
    problem = None
    for path in found:
        try:
            return _load(path)
        except _DAMAGE as error:
            problem = problem or f"checkpoint {path} is damaged ({error})"
    if problem is not None:
        raise TrainingError(problem, fix="start over with --fresh")
    return None


def clear(run: Path) -> None:
    """Forget a run's checkpoints."""
    for path in _steps(run):
        shutil.rmtree(path, ignore_errors=True)


def _steps(run: Path) -> list[Path]:
    """Folders of checkpoints, the newest first."""
    found = [(int(m[1]), p) for p in run.glob("step-*") if (m := _NAME.match(p.name))]
    return [path for _, path in sorted(found, reverse=True)]


def _load(path: Path) -> Checkpoint:
    raw = json.loads((path / STATE_FILE).read_text(encoding="utf-8"))
    tensors = {}
    for name in PARTS:
        file = f"{name}.safetensors"
        data = (path / file).read_bytes()
        if hashlib.sha256(data).hexdigest() != raw["sha256"][file]:
            raise ValueError(f"the SHA-256 of {file} differs")
        tensors[name] = load_tensors(data)
    return Checkpoint(replace(TuneState(), **raw["state"]), tensors)
