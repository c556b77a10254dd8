"""A recipe small enough to train in a test, and a run of it as a program.

`python -m tests.unit.train.tiny pretrain ...` is `diffill` with that recipe added, so that a test
can start it as a daemon or in several processes.
"""

from __future__ import annotations

from dataclasses import replace

from diffusion.data.batches import BatchConfig
from diffusion.model import architecture
from diffusion.model.architecture import ModelRecipe
from diffusion.train.config import PretrainConfig
from diffusion.train.optimisers import OptimiserConfig

TINY = ModelRecipe("tiny", width=32, layers=2, inner=32)
CONFIG = PretrainConfig(
    recipe="tiny",
    batch=BatchConfig(rows=2, row_tokens=128),
    optimiser=OptimiserConfig(warmup_steps=2, decay_share=0.3),
    mixed_precision="no",
    workers=0,
    log_every_steps=1,
    validation_rows=8,
)
OFTEN = replace(
    CONFIG, save_every_minutes=0.0, validate_every_minutes=60.0, export_every_minutes=0.0
)
"""Saves and exports after every step."""


def main() -> None:
    """`diffill`, knowing "tiny"."""
    from diffusion.cli import main as run

    architecture.RECIPES["tiny"] = TINY
    run()


if __name__ == "__main__":
    main()
