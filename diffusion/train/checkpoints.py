"""Training checkpoints: everything a run needs to go on bit for bit, without pickle.

A checkpoint is a folder `step-<n>` with the float32 weights, one safetensors file per optimiser
and `state.json`. It is written under another name and renamed when complete, so a crash leaves
the previous one; older ones are removed only afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch.nn import Module
from torch.optim import Optimizer

from diffusion.errors import TrainingError
from diffusion.train.optimisers import load_state_tensors, state_tensors

_NAME = re.compile(r"^step-(\d+)$")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `next_batch` is the number of the first batch not yet trained on."""

    step: int = 0
    next_batch: int = 0
    tokens_seen: int = 0
    seconds_trained: float = 0.0


def newest(directory: Path) -> Path | None:
    """The latest complete checkpoint in `directory`, or None."""
    found = [(int(m[1]), p) for p in directory.glob("step-*") if (m := _NAME.match(p.name))]
    return max(found)[1] if found else None


def save(
    directory: Path,
    model: Module,
    optimisers: list[Optimizer],
    progress: Progress,
    fingerprint: dict[str, Any],
) -> Path:
    """Write a checkpoint and drop all older ones but one. Raises TrainingError if it cannot."""
    target = directory / f"step-{progress.step}"
    partial = directory / f".part-{progress.step}-{os.getpid()}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_model(model, str(partial / "weights.safetensors"))
        for i, optimiser in enumerate(optimisers):
            save_file(state_tensors(optimiser), partial / f"optimiser-{i}.safetensors")
        state = {
            "step": progress.step,
            "next_batch": progress.next_batch,
            "tokens_seen": progress.tokens_seen,
            "seconds_trained": progress.seconds_trained,
            "fingerprint": fingerprint,
        }
        (partial / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise TrainingError(
            f"checkpoint {target} could not be written ({error}); free some disk space. "
            "The previous checkpoint is untouched"
        ) from error
    steps = sorted(int(m[1]) for p in directory.glob("step-*") if (m := _NAME.match(p.name)))
    for old in steps[:-2]:
        shutil.rmtree(directory / f"step-{old}", ignore_errors=True)
    return target


def resume(
    path: Path, model: Module, optimisers: list[Optimizer], fingerprint: dict[str, Any]
) -> Progress:
    """Load a checkpoint into model and optimisers.

    Raises TrainingError if it is damaged or was made by a run with another configuration.
    """
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        if state["fingerprint"] != json.loads(json.dumps(fingerprint)):
            changed = [
                k
                for k, v in json.loads(json.dumps(fingerprint)).items()
                if state["fingerprint"].get(k) != v
            ]
            raise TrainingError(
                f"checkpoint {path} belongs to a run with another {', '.join(changed)}; "
                "use the same options, or another --out folder"
            )
        load_model(model, str(path / "weights.safetensors"))
        for i, optimiser in enumerate(optimisers):
            load_state_tensors(optimiser, load_file(path / f"optimiser-{i}.safetensors"))
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise TrainingError(
            f"checkpoint {path} cannot be read ({error}); delete it to go on from an older one"
        ) from error
    return Progress(
        state["step"], state["next_batch"], state["tokens_seen"], state["seconds_trained"]
    )


def load_weights(path: Path, model: Module) -> None:
    """Only the weights of a training checkpoint, into `model`. Raises TrainingError."""
    try:
        load_model(model, str(path / "weights.safetensors"))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise TrainingError(
            f"weights of {path} cannot be used ({error}); name a step-<n> folder of a run with "
            "the same recipe"
        ) from error
