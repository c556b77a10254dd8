"""A model folder made ready to serve: the lean way where it can be, through transformers where not.

Invariant: transformers is imported only for a model that needs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from diffusion.adapters.base import base_of
from diffusion.adapters.merge import load_with_adapter, merged
from diffusion.errors import AdapterError, CheckpointError, ModelError
from diffusion.model.caching import CachingDenoiser
from diffusion.model.device import device_for, mode_on, settle
from diffusion.model.folder import check_vocabulary, verify
from diffusion.model.lean import LeanShape
from diffusion.model.lean_denoiser import LeanDenoiser, read_config, read_weights
from diffusion.model.manifest import (
    CONFIG_FILE,
    DIFFUSION,
    LENGTHS_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
)
from diffusion.text.hole_length import LengthTable
from diffusion.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A denoiser with its vocabulary and length table."""

    denoiser: CachingDenoiser
    tokenizer: Tokenizer
    lengths: LengthTable
    folder: Path
    weights_sha256: str | None
    """None where no manifest has it."""


def load_served(
    folder: Path, precision: str = "auto", adapter: Path | None = None, device: str = "auto"
) -> ServedModel:
    """Load a diffusion model, in "fp32", "bf16", "int8" or "auto"matic precision.

    `device`: "cpu", "cuda", "mps" or "auto" (`model.device`).
    `adapter`: an adapter's folder, added to the weights before they are rounded.

    Raises CheckpointError naming the file that is missing or damaged, ConfigError for another
    precision or device, AdapterError for the adapter.
    """
    manifest = verify(folder)
    tokenizer_path, lengths_path = folder / TOKENIZER_FILE, folder / LENGTHS_FILE
    if not tokenizer_path.is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer of Diffill's",
            fix="use a folder that `diffill pretrain --export` wrote",
        )
    if manifest is not None and manifest.objective != DIFFUSION:
        raise CheckpointError(
            f"{folder} holds an autoregressive twin, which fills no canvas",
            fix="name a diffusion model; `diffill eval` is what measures a twin",
        )
    tokenizer = Tokenizer.load(tokenizer_path)
    where = device_for(device, precision)
    settle(where)
    denoiser = _denoiser(folder, precision, adapter, where)
    if manifest is not None:
        check_vocabulary(tokenizer, denoiser.vocab_size, tokenizer_path)
    lengths = LengthTable.load(lengths_path) if lengths_path.is_file() else LengthTable()
    weights = manifest.files.get(WEIGHTS_FILE) if manifest else None
    return ServedModel(denoiser, tokenizer, lengths, folder, weights.sha256 if weights else None)


def _denoiser(
    folder: Path, precision: str, adapter: Path | None, device: torch.device
) -> CachingDenoiser:
    if (folder / WEIGHTS_FILE).is_file():  # a foreign model may be cut into several
        config = read_config(folder)
        try:
            LeanShape.of(config)
        except ModelError as error:
            raise CheckpointError(f"{folder / CONFIG_FILE}: {error}") from error
        try:
            weights = read_weights(folder)
            if adapter is not None:
                weights = merged(weights, adapter, base_of(folder))
            lean = LeanDenoiser.of(config, weights, precision, device)
        except (AdapterError, CheckpointError):
            raise
        except ModelError as error:
            raise CheckpointError(f"{folder / WEIGHTS_FILE}: {error}") from error
        if lean is not None:
            return lean
    from diffusion.model.denoiser import MaskedLMDenoiser
    from diffusion.model.quantize import for_cpu, for_gpu

    model = load_with_adapter(folder, adapter).model
    if device.type == "cpu":
        return MaskedLMDenoiser(for_cpu(model, precision))  # type: ignore[arg-type]
    return MaskedLMDenoiser(for_gpu(model, mode_on(device, precision), device))
