"""What an adapter must name to fit a model folder. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from diffusion.adapters.home import expanded
from diffusion.adapters.manifest import Base
from diffusion.errors import AdapterError
from diffusion.model.manifest import WEIGHTS_FILE as MODEL_WEIGHTS
from diffusion.model.manifest import FileRecord, Manifest
from diffusion.pretrained import default_model_dir


def model_folder(named: Path | None) -> Path:
    """The folder of the base model that was named, the bundled one for None.

    `~` may stand for a home, as in an editor's settings. Raises ConfigError for `~nobody`.
    """
    return default_model_dir() if named is None else expanded(named, "model")


def base_of(folder: Path) -> Base:
    """What an adapter for the model in `folder` must name. Raises CheckpointError, AdapterError."""
    manifest = Manifest.read(folder)
    if manifest is not None and MODEL_WEIGHTS in manifest.files:
        return Base(manifest.files[MODEL_WEIGHTS].sha256, manifest.tokenizer_hash)
    weights, tokenizer = folder / MODEL_WEIGHTS, folder / "tokenizer.json"
    if not weights.is_file() or not tokenizer.is_file():
        raise AdapterError(
            f"{folder} is no model that adapters can be made for",
            fix="name a folder with model.safetensors and tokenizer.json",
        )
    from diffusion.text.tokenizer import Tokenizer  # at start-up, nobody needs it

    return Base(FileRecord.of(weights).sha256, Tokenizer.load(tokenizer).hash)
