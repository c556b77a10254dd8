"""Loads a model with an adapter in it: the weights are added before anything is rounded.

A merged model is the base model with other numbers, so it is as fast. peft is not needed.

Invariant: an adapter is checked whole (files, base model, shapes, finite numbers) before the first
weight of the model changes, so a refused one leaves the model as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors

from diffusion.adapters.base import base_of
from diffusion.adapters.manifest import LORA, WEIGHTS_FILE, AdapterManifest, Base, check
from diffusion.errors import AdapterError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from diffusion.model.checkpoint import LoadedModel

LORA_A, LORA_B = ".lora_A", ".lora_B"


def load_with_adapter(folder: Path, adapter: Path | None) -> LoadedModel:
    """Load a model folder with transformers, and merge the adapter's folder into it if given.

    Raises CheckpointError for the model, AdapterError for the adapter.
    """
    from diffusion.model.checkpoint import load_checkpoint

    loaded = load_checkpoint(folder)
    if adapter is not None:
        merge(loaded.model, adapter, base_of(folder))
    return loaded


@torch.no_grad()
def merge(model: PreTrainedModel, adapter: Path, base: Base) -> AdapterManifest:
    """Add an adapter to the float weights of `model`. Raises AdapterError."""
    weights = dict(model.named_parameters())
    manifest = check(adapter, base)
    for name, change in changes(adapter, manifest, weights).items():
        weights[name].add_(change)
    return manifest


@torch.no_grad()
def merged(
    weights: Mapping[str, torch.Tensor], adapter: Path, base: Base
) -> dict[str, torch.Tensor]:
    """A model's named weights with an adapter added, in float32. Raises AdapterError."""
    found = dict(weights)
    for name, change in changes(adapter, check(adapter, base), weights).items():
        found[name] = found[name].float() + change
    return found


def changes(
    adapter: Path, manifest: AdapterManifest, weights: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """What each weight changes by, in finite numbers. Raises AdapterError where that cannot be."""
    path = adapter / WEIGHTS_FILE
    try:
        tensors = load_tensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise AdapterError(
            f"{path} is damaged ({error})", fix="run `diffill train` again"
        ) from error
    found: dict[str, torch.Tensor] = {}
    try:
        if manifest.method == LORA:
            for name in tensors:
                if name.endswith(LORA_A):
                    module = name.removesuffix(LORA_A)
                    product = tensors[module + LORA_B].float() @ tensors[name].float()
                    found[f"{module}.weight"] = product * manifest.scale
        else:
            found = {name: tensor.float() for name, tensor in tensors.items()}
        for name, change in found.items():
            weight = weights[name]
            if weight.shape != change.shape:
                raise AdapterError(
                    f"{path}: {name} has shape {tuple(change.shape)}, the model "
                    f"{tuple(weight.shape)}",
                    fix="use the model it was made for",
                )
            if not bool(torch.isfinite(change).all()):
                raise AdapterError(
                    f"{path} would make NaN or infinity of {name}", fix="run `diffill train` again"
                )
    except (KeyError, AttributeError, RuntimeError) as error:
        raise AdapterError(
            f"{path} does not fit the model ({error})", fix="use the model it was made for"
        ) from error
    if not found:
        raise AdapterError(f"{path} holds no weights", fix="run `diffill train` again")
    return found
