"""The bundled model, and any like it, as a denoiser that needs no transformers.

Invariants: a folder is checked as `diffusion.model.checkpoint` checks it; a model of another kind
is not an error here, but None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from diffusion.errors import CheckpointError, ConfigError
from diffusion.model.caching import CachingDenoiser, PositionRange
from diffusion.model.context_cache import ReadPass, WritingPass
from diffusion.model.device import CPU, mode_on
from diffusion.model.folder import FETCH_AGAIN, first_not_finite
from diffusion.model.lean import LeanEncoder, LeanShape
from diffusion.model.manifest import CONFIG_FILE, WEIGHTS_FILE
from diffusion.model.quantize import MODES, Mode, fastest_mode_for
from diffusion.text.json_file import read_object

_LARGEST_WEIGHT = "model.layers.0.mlp.Wi.weight"


class LeanDenoiser(CachingDenoiser):
    """A `LeanEncoder` on a cached context."""

    extends = True

    def __init__(self, encoder: LeanEncoder) -> None:
        self.encoder = encoder
        self.positions = PositionRange(limit=encoder.shape.max_positions)
        self.kept_dtype, self.read_dtype = encoder.kept_dtype, encoder.attention_dtype

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        weights: Mapping[str, torch.Tensor],
        mode: str = "auto",
        device: torch.device = CPU,
    ) -> LeanDenoiser | None:
        """A denoiser with these weights; None where `config` describes another kind of model.

        Raises ConfigError for an unknown precision, ModelError for weights that do not fit.
        """
        shape = LeanShape.of(config)
        if shape is None:
            return None
        chosen = _mode(mode, weights) if device.type == "cpu" else mode_on(device, mode)
        return cls(LeanEncoder(weights, shape, chosen, device))

    @property
    def device(self) -> torch.device:
        return self.encoder.device

    @property
    def vocab_size(self) -> int:
        return self.encoder.shape.vocab_size

    def _write(self, ids_T: torch.Tensor, positions_T: torch.Tensor, write: WritingPass) -> None:
        self.encoder.write(ids_T, positions_T, write)

    def _turn(self, key_1HCD: torch.Tensor, by: int) -> torch.Tensor:
        return self.encoder.turned_on(key_1HCD, by)

    def _wanted(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, read: ReadPass, wanted_T: torch.Tensor
    ) -> torch.Tensor:
        return self.encoder.wanted(ids_T, positions_T, read, wanted_T)

    def _logits(self, hidden_MD: torch.Tensor) -> torch.Tensor:
        return self.encoder.logits(hidden_MD)


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a verified folder. Raises CheckpointError naming the file."""
    path = folder / WEIGHTS_FILE
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is truncated or damaged ({error})", fix=FETCH_AGAIN
        ) from error
    not_finite = first_not_finite(weights)
    if not_finite is not None:
        raise CheckpointError(
            f"{path}: weight {not_finite} holds NaN or infinity", fix="use an earlier checkpoint"
        )
    return weights


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a verified folder. Raises CheckpointError naming the file."""
    path = folder / CONFIG_FILE
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read ({error})", fix=FETCH_AGAIN) from error


def _mode(asked: str, weights: Mapping[str, torch.Tensor]) -> Mode:
    if asked == "auto":
        largest_NK = weights.get(_LARGEST_WEIGHT)
        return "fp32" if largest_NK is None else fastest_mode_for(largest_NK)
    for mode in MODES:
        if asked == mode:
            return mode
    raise ConfigError(
        f"no precision is called {asked!r}", fix=f"choose one of {', '.join(MODES)} or auto"
    )
