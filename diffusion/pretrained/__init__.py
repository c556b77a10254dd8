"""What ships with the package: model folders, the vocabulary and the length table. Data only."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def bundled_model_dir() -> Path:
    """The folder of the model that is used when none is named."""
    return _HERE / "nano"


def bundled_tokenizer_path() -> Path:
    """The vocabulary that bundled models share; pretraining starts from it."""
    return _HERE / "tokenizer.json"
