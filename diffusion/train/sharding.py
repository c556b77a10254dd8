"""Weights, gradients and optimiser state shared out over the processes (FSDP, ZeRO stage 3).

Zhao et al. 2023; this form of it, which keeps matrices matrices, is torch's `fully_shard`. Every
process keeps a slice of each weight and gathers a layer only while it computes with it, so a model
may be larger than one accelerator. What leaves the run (checkpoints, exports, validation) is made
from whole weights, gathered into a copy of the model in ordinary memory.

Invariants: gathering is done by all processes at once; a checkpoint does not say how it was
sharded, so a run may go on with other processes, or without sharding.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer
from transformers import PreTrainedModel

from diffusion.errors import ConfigError
from diffusion.model.architecture import trunk
from diffusion.train.ema import WeightAverage
from diffusion.train.objective import Objective
from diffusion.train.optimisers import state_tensors
from diffusion.train.placement import whole


class Sharded:
    """The whole copy of a model whose weights are shared out."""

    def __init__(
        self, model: PreTrainedModel, ema_decay: float, accelerator: Accelerator
    ) -> None:
        """`model` holds its first weights, whole, the same in every process.

        Raises ConfigError where there is one process only.
        """
        if accelerator.num_processes == 1:
            raise ConfigError("--shard needs processes to share weights out to; give --processes")
        self._device = accelerator.device
        self._processes = accelerator.num_processes
        self.copy: PreTrainedModel = copy.deepcopy(model)
        self.average = WeightAverage(self.copy, ema_decay)
        self.optimiser_states: list[dict[str, Tensor]] = []

    def shard(self, objective: Objective) -> None:
        """Share the objective's weights out, layer by layer; the rest is one group."""
        mesh = init_device_mesh(self._device.type, (self._processes,))
        objective.to(self._device)
        layers: Any = trunk(objective.model).layers
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(objective, mesh=mesh)

    @torch.no_grad()
    def gather(
        self, model: PreTrainedModel, average: WeightAverage, optimisers: list[Optimizer]
    ) -> None:
        """Bring copy, average and optimiser states up to date with the run's."""
        pairs = zip(self.copy.parameters(), model.parameters(), strict=True)
        for here, there in pairs:
            here.copy_(whole(there))
        self.average.restart(average.tensors() or None)
        self.optimiser_states = [state_tensors(optimiser) for optimiser in optimisers]
