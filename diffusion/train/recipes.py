"""How each size of model is trained when nothing else is asked for.

A processor gets short rows and small batches: a step there takes seconds, and few steps teach
less than noisy ones. The figures for accelerators follow published runs of this size and have not
been tuned on one (docs/training.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from diffusion.model.architecture import recipe_named
from diffusion.spare_cores import cores


@dataclass(frozen=True, slots=True)
class TrainingDefaults:
    """What a recipe settles besides the model's shape."""

    batch_tokens: int
    """Tokens of one optimiser step, padding included, of all processes together."""
    row_tokens: int
    rows_per_pass: int
    """Most rows that one process takes through the model at once."""
    matrix_lr: float
    other_lr: float
    warmup_steps: int
    ema_decay: float


_ON_PROCESSOR = {
    "nano": TrainingDefaults(8_192, 512, 16, 0.01, 1.5e-3, 100, 0.0),
    "small": TrainingDefaults(16_384, 512, 16, 0.01, 1.5e-3, 100, 0.0),
    "base": TrainingDefaults(32_768, 512, 8, 0.015, 2e-3, 100, 0.0),
}
_ON_ACCELERATOR = {
    "nano": TrainingDefaults(65_536, 1024, 64, 0.01, 1.5e-3, 100, 0.995),
    "small": TrainingDefaults(131_072, 1024, 128, 0.01, 1.5e-3, 100, 0.995),
    "base": TrainingDefaults(262_144, 1024, 32, 0.015, 2e-3, 300, 0.999),
}


def defaults_for(recipe: str, *, accelerator: bool) -> TrainingDefaults:
    """The defaults of `recipe`; those of nano for a recipe that somebody added. ModelError."""
    known = _ON_ACCELERATOR if accelerator else _ON_PROCESSOR
    return known.get(recipe_named(recipe).name, known["nano"])


def builders(processes: int, *, accelerator: bool) -> int:
    """How many processes build batches for each of `processes` that train on this machine.

    An accelerator takes rows faster than one core lays them out, so it gets all other cores.
    """
    return max(1, cores() // max(1, processes) - 1) if accelerator else 1


def rows_per_pass(rows: int, world: int, most: int) -> int:
    """The largest number of rows up to `most` that divides a process's share of `rows`."""
    own = max(1, rows // world)
    return next(n for n in range(min(own, most), 0, -1) if own % n == 0)
