"""A model folder seen from outside: whether it is whole. No transformers.

Invariant: nothing is read from weights before their sizes and digests are known to be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from diffusion.errors import CheckpointError
from diffusion.model.manifest import (
    CONFIG_FILE,
    MANIFEST_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    Manifest,
    check_files,
    wrong_tokenizer,
)
from diffusion.pretrained import MODEL_DIR_VARIABLE
from diffusion.text.tokenizer import Tokenizer, hash_of_tokenizer

FETCH_AGAIN = "copy or download the folder again"


def verify(folder: Path) -> Manifest | None:
    """Checks a folder's files without building the model. None for a foreign checkpoint.

    Raises CheckpointError naming the first missing, truncated or altered file.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"model folder {folder} does not exist",
            fix="name an existing one, in the setting diffill.model.path (empty: the bundled one),"
            f" in {MODEL_DIR_VARIABLE} or with --model, or reinstall",
        )
    manifest = Manifest.read(folder)
    if manifest is not None:
        required = {CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE}
        for name in sorted(required - manifest.files.keys()):
            raise CheckpointError(f"{folder / MANIFEST_FILE} lists no {name}", fix=FETCH_AGAIN)
        check_files(folder, manifest.files)
        if hash_of_tokenizer(folder / TOKENIZER_FILE) != manifest.tokenizer_hash:
            raise wrong_tokenizer(folder / TOKENIZER_FILE)
        return manifest
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(f"{folder / CONFIG_FILE} is missing", fix=FETCH_AGAIN)
    if not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{folder / WEIGHTS_FILE} is missing",
            fix="Diffill reads safetensors only: save the model again with transformers 5",
        )
    return None


def first_not_finite(weights: Mapping[str, torch.Tensor]) -> str | None:
    """The name of the first weight that holds NaN or infinity."""
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.numel():
            continue
        # A NaN is both; ten times as fast as asking each number.
        smallest, largest = torch.aminmax(weight)
        if not (smallest.isfinite() and largest.isfinite()):
            return name
    return None


def check_vocabulary(tokenizer: Tokenizer, vocab_size: int, path: Path) -> None:
    """Raises CheckpointError where a vocabulary is not the model's."""
    if tokenizer.vocab_size != vocab_size:
        raise CheckpointError(
            f"{path} has {tokenizer.vocab_size} tokens, the model {vocab_size}",
            fix="use the vocabulary the model was trained with",
        )
