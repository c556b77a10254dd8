"""What ships with the package: model folders, the vocabulary and the length table. Data only."""

from __future__ import annotations

import os
from pathlib import Path

from diffusion.adapters.home import expanded

MODEL_DIR_VARIABLE = "DIFFILL_MODEL"

_HERE = Path(__file__).parent


def bundled_model_dir() -> Path:
    """The folder of the model that is used when none is named."""
    return _HERE / "small"


def bundled_tokenizer_path() -> Path:
    """The vocabulary that bundled models share; pretraining starts from it."""
    return _HERE / "tokenizer.json"


def default_model_dir() -> Path:
    """The folder named by the environment variable DIFFILL_MODEL, else the bundled model's.

    Raises ConfigError for `~nobody`.
    """
    named = os.environ.get(MODEL_DIR_VARIABLE)
    return expanded(Path(named), MODEL_DIR_VARIABLE) if named else bundled_model_dir()
