"""Training checkpoints: everything a run needs to go on bit for bit, without pickle.

A checkpoint is a folder `step-<n>` with the float32 weights, one safetensors file per optimiser,
the average of the weights where the run keeps one, and `state.json` with the SHA-256 of each and
the vocabulary's hash (checkpoints of older versions have neither, and are taken as they are). It is
written under another name and renamed when complete, so a crash leaves the previous one; older ones
are removed only afterwards. A folder belongs to one run at a time (`control.only_run`).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from diffusion.errors import TrainingError
from diffusion.train.fingerprint import differences
from diffusion.train.optimisers import load_state_tensors

WEIGHTS, AVERAGE = "weights.safetensors", "average.safetensors"
STATE = "state.json"
_NAME = re.compile(r"^step-(\d+)$")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `next_batch` is the number of the first batch not yet trained on."""

    step: int = 0
    next_batch: int = 0
    tokens_seen: int = 0
    seconds_trained: float = 0.0
    """Wall time, what was spent on waiting for batches, on validation and on saving included."""
    warm_from_step: int = 0
    """Where the rate's warm-up begins: at the last step that had no optimiser state."""
    tokens_before: int = 0
    """Tokens that the weights had seen when this run took them over (`--start-from`)."""

    @property
    def tokens_in_all(self) -> int:
        """Tokens that the weights have seen, in this run and before it."""
        return self.tokens_before + self.tokens_seen

    def warming_up(self) -> Progress:
        """The same place in a run whose optimiser has just been made."""
        return replace(self, warm_from_step=self.step)


def fields_of(raw: dict[str, Any]) -> Progress:
    """A stored progress; what older versions did not store has its default."""
    return Progress(
        int(raw["step"]),
        int(raw["next_batch"]),
        int(raw["tokens_seen"]),
        float(raw["seconds_trained"]),
        int(raw.get("warm_from_step", 0)),
        int(raw.get("tokens_before", 0)),
    )


def newest(directory: Path) -> Path | None:
    """The latest complete checkpoint in `directory`, or None."""
    found = [(int(m[1]), p) for p in directory.glob("step-*") if (m := _NAME.match(p.name))]
    return max(found)[1] if found else None


def save(
    directory: Path,
    model: Module,
    optimiser_states: list[dict[str, Tensor]],
    progress: Progress,
    fingerprint: dict[str, Any],
    average: dict[str, Tensor] | None = None,
    *,
    tokenizer_hash: str,
) -> Path:
    """Write a checkpoint and drop all older ones but one. Raises TrainingError if it cannot."""
    target = directory / f"step-{progress.step}"
    partial = directory / f".part-{progress.step}-{os.getpid()}"
    try:
        for stale in directory.glob(".part-*"):  # of a process that was killed while it wrote
            shutil.rmtree(stale, ignore_errors=True)
        partial.mkdir(parents=True)
        save_model(model, str(partial / WEIGHTS))
        for i, state in enumerate(optimiser_states):
            save_file(state, partial / f"optimiser-{i}.safetensors")
        if average:
            save_file(average, partial / AVERAGE)
        about = {
            **asdict(progress),
            "fingerprint": fingerprint,
            "tokenizer_hash": tokenizer_hash,
            "sha256": {path.name: _digest(path) for path in sorted(partial.iterdir())},
        }
        (partial / STATE).write_text(json.dumps(about, indent=1), encoding="utf-8")
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
    path: Path, model: Module, fingerprint: dict[str, Any], tokenizer_hash: str
) -> tuple[Progress, dict[str, Any]]:
    """Load a checkpoint's weights into `model`, which is whole yet; its fingerprint comes along.

    Raises TrainingError if any of its files is damaged, or if it was made by a run with another
    configuration or vocabulary.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        progress = fields_of(state)
        _check_vocabulary(path, state, tokenizer_hash)
        changed = differences(state["fingerprint"], fingerprint)
        if changed:
            raise TrainingError(
                f"checkpoint {path} belongs to a run with another {', '.join(changed)}; "
                "use the same options, or another --out folder"
            )
        _check(path, state, *state.get("sha256", ()))
        load_model(model, str(path / WEIGHTS))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from error
    return progress, state["fingerprint"]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, state: dict[str, Any], *names: str) -> None:
    """Raises ValueError where one of a checkpoint's files is not as it was written. OSError."""
    digests = state.get("sha256", {})
    for name in names:
        if name in digests and _digest(path / name) != digests[name]:
            raise ValueError(f"the SHA-256 of {name} differs")


def _check_vocabulary(path: Path, state: dict[str, Any], tokenizer_hash: str) -> None:
    trained_with = state.get("tokenizer_hash", tokenizer_hash)
    if trained_with != tokenizer_hash:
        raise TrainingError(
            f"{path} was trained with tokenizer {trained_with}, this run uses {tokenizer_hash}; "
            "give that tokenizer.json as --tokenizer"
        )


def resume_optimisers(path: Path, optimisers: list[Optimizer]) -> None:
    """Load the optimisers' states, sharded as their parameters are. Raises TrainingError."""
    try:
        for i, optimiser in enumerate(optimisers):
            load_state_tensors(optimiser, load_file(path / f"optimiser-{i}.safetensors"))
    except (OSError, SafetensorError, ValueError, KeyError, IndexError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> TrainingError:
    return TrainingError(
        f"checkpoint {path} cannot be read ({error}); delete it to go on from an older one"
    )


def load_average(path: Path) -> dict[str, Tensor] | None:
    """The average of the weights in a checkpoint, None where it has none. Raises TrainingError."""
    if not (path / AVERAGE).exists():
        return None
    try:
        return load_file(path / AVERAGE)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"{path / AVERAGE} cannot be read ({error}); delete the checkpoint to go on from an "
            "older one"
        ) from error


def load_weights(path: Path, model: Module, tokenizer_hash: str) -> Progress:
    """Only the weights of a training checkpoint, into `model`; how far its run was.

    Raises TrainingError where they, or the average beside them, are damaged, or of another recipe
    or vocabulary.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        progress = fields_of(state)
        _check_vocabulary(path, state, tokenizer_hash)
        _check(path, state, WEIGHTS, *([AVERAGE] if (path / AVERAGE).exists() else []))
        load_model(model, str(path / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"weights of {path} cannot be used ({error}); name a step-<n> folder of a run with "
            "the same recipe"
        ) from error
    return progress
