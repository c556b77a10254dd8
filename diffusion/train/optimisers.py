"""Muon for the trunk's matrices, AdamW for everything else, and the learning-rate schedule.

Embeddings, norms and the vocabulary head are no such matrices and stay with AdamW.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from diffusion.errors import ConfigError
from diffusion.train.muon import Muon
from diffusion.train.placement import laid_out_like, whole
from diffusion.train.precision import half_is_fast

MUON, ADAMW = "muon", "adamw"
NAMES = (MUON, ADAMW)


@dataclass(frozen=True, slots=True)
class OptimiserConfig:
    """Peak learning rates and the shape of the schedule. Shares are of the whole run."""

    name: str = MUON
    """Muon with AdamW, or AdamW alone (the ablation)."""
    matrix_lr: float = 0.01
    matrix_decay: float = 0.02
    other_lr: float = 1.5e-3
    other_decay: float = 0.01
    adamw_only_lr: float = 1.5e-3
    warmup_steps: int = 100
    decay_share: float = 0.5
    final_scale: float = 0.02
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise ConfigError(
                f"there is no optimiser {self.name!r}", fix=f"choose one of {', '.join(NAMES)}"
            )
        for option, rate in (
            ("--matrix-lr", self.matrix_lr),
            ("other_lr", self.other_lr),
            ("adamw_only_lr", self.adamw_only_lr),
            ("matrix_decay", self.matrix_decay),
            ("other_decay", self.other_decay),
        ):
            if not (math.isfinite(rate) and rate >= 0):
                raise ConfigError(f"{option} is {rate}; give a number of 0 or more")
        for option, share in (
            ("--decay-share", self.decay_share),
            ("final_scale", self.final_scale),
        ):
            if not 0 <= share <= 1:
                raise ConfigError(f"{option} is {share}; give a share of 0 to 1")
        if not self.clip_norm > 0:
            raise ConfigError(f"clip_norm is {self.clip_norm}; give a number above 0")


def build_optimisers(
    model: nn.Module, config: OptimiserConfig, device_type: str
) -> list[Optimizer]:
    """The optimisers of a run on such a device; each parameter belongs to exactly one."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    is_matrix = {
        n: p.ndim == 2 and not any(part in n for part in ("embed", "decoder", "lm_head"))
        for n, p in named
    }
    matrices = [p for n, p in named if is_matrix[n]]
    others = [p for n, p in named if not is_matrix[n]]
    if config.name == ADAMW:
        return [_adamw([*matrices, *others], config.adamw_only_lr, config)]
    muon = Muon(
        matrices,
        lr=config.matrix_lr,
        weight_decay=config.matrix_decay,
        dtype=torch.bfloat16 if half_is_fast(device_type) else torch.float32,
    )
    return [muon, _adamw(others, config.other_lr, config)]


def _adamw(parameters: list[nn.Parameter], lr: float, config: OptimiserConfig) -> AdamW:
    return AdamW(parameters, lr=lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=config.other_decay)


def lr_scale(step: int, progress: float, config: OptimiserConfig) -> float:
    """Factor on every peak rate: linear warm-up by step, constant, linear decay by progress.

    Args:
        step: optimiser steps done in this run or since it was resumed on another machine.
        progress: share of the run's budget that is spent, 0..1.
    """
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    left = (1.0 - min(1.0, progress)) / config.decay_share if config.decay_share > 0 else 1.0
    return warm * max(config.final_scale, min(1.0, left))


def set_lr_scale(optimisers: list[Optimizer], scale: float) -> None:
    """Set every group's rate to its peak times `scale`; the peak is kept in the group."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group.setdefault("peak_lr", float(group["lr"]))
            group["lr"] = group["peak_lr"] * scale


def state_tensors(optimiser: Optimizer) -> dict[str, torch.Tensor]:
    """The optimiser's state as flat named tensors, for safetensors (no pickle).

    Where the weights are sharded, all processes must call this.
    """
    flat: dict[str, torch.Tensor] = {}
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for index, parameter in enumerate(parameters):
        for key, value in optimiser.state.get(parameter, {}).items():
            tensor = value if isinstance(value, torch.Tensor) else torch.tensor(float(value))
            flat[f"{index}.{key}"] = whole(tensor.detach()).cpu().contiguous()
    return flat


def load_state_tensors(optimiser: Optimizer, flat: dict[str, torch.Tensor]) -> None:
    """Inverse of `state_tensors` on an optimiser over the same parameters in the same order."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for name, tensor in flat.items():
        index, key = name.split(".", 1)
        parameter = parameters[int(index)]
        place = tensor if tensor.ndim == 0 else laid_out_like(tensor, parameter)
        optimiser.state[parameter][key] = place.clone()
