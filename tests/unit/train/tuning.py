"""A tuning run small enough for a test, and the same run as a process that can be killed.

`python -m tests.unit.train.tuning RUN MODEL STEPS [auto]` goes on with the run in the folder RUN,
whose shards are there, and prints every event as a line; a launcher may start several of it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from diffusion.data.repository import scan_repository
from diffusion.model.checkpoint import load_checkpoint
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.control import Control
from diffusion.train.finetune import Tuned, finetune
from diffusion.train.team import Team
from diffusion.train.tune_config import TuneConfig
from diffusion.train.tune_data import write_data
from tests.support.repositories import write_repository

CONFIG = TuneConfig(
    rank=2, rows=2, row_tokens=128, warmup_steps=2, validate_every_steps=3, validation_rows=8,
    learning_rate=0.01, save_every_s=0.0, log_every_steps=1, bf16=False, threads=1, patience=99,
)  # fmt: skip
STEPS = 7
AUTO = replace(CONFIG, learning_rate=None, rate_steps=2)
"""Tries learning rates first."""


def write_run(folder: Path, tokenizer: Tokenizer, files: int = 8) -> Path:
    """A folder with the shards of a small repository."""
    repository = scan_repository(write_repository(folder / "repository", files))
    write_data(folder / "run", repository, tokenizer)
    return folder / "run"


def tune(run: Path, model: Path, steps: int = STEPS, **more: Any) -> Tuned:
    """Train for `steps`, or on to them."""
    options: dict[str, Any] = {
        "minutes": 60.0, "most_steps": steps, "report": lambda event: None,
        "control": Control(run), **more,
    }  # fmt: skip
    config = options.pop("config", CONFIG)
    tokenizer = Tokenizer.load(model / "tokenizer.json")
    return finetune(run, load_checkpoint(model).model, tokenizer, config, **options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    team = Team()
    tune(
        Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), team=team,
        config=AUTO if "auto" in sys.argv else CONFIG,
        report=lambda event: print(json.dumps(event), flush=True) if team.main else None,
    )  # fmt: skip
    team.leave()
