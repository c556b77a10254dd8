"""The processes that tune together: started by `accelerate launch` or `torchrun`, or just one.

Each takes its rows of every step; gradients are added up, so a step is what one process would have
made of it. What is decided (time, stopping, measurements) is decided by the first process and told
to the others, or they would part ways. Only that one writes and reports.

Invariant: alone, nothing here costs anything or changes a number. Everything but the properties is
collective: all processes call it, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import torch
from torch import Tensor, distributed

from diffusion.train.launched import processes

_PATIENCE = timedelta(days=7)
"""How long processes wait for one another: a run may be paused."""


class Team:
    """`size` processes, of which this one is number `rank`, with its `device`."""

    def __init__(self) -> None:
        """The team that the environment says (`launched`). Raises ConfigError."""
        on_cpu = not torch.cuda.is_available()
        self.rank, self.size = 0, processes()
        self.device = torch.device("cpu" if on_cpu else "cuda")
        if self.size > 1:
            from accelerate import PartialState

            state = PartialState(cpu=on_cpu, timeout=_PATIENCE)
            self.rank, self.size = state.process_index, state.num_processes
            self.device = state.device

    @property
    def main(self) -> bool:
        """Whether this is the process that decides, writes and reports."""
        return self.rank == 0

    def told(self, value: float) -> float:
        """The first process's value."""
        if self.size == 1:
            return value
        there = torch.tensor(value if self.main else 0.0, dtype=torch.float64, device=self.device)
        distributed.all_reduce(there)
        return float(there)

    def sums(self, *values: float) -> tuple[float, ...]:
        """Each value's sum over the processes."""
        if self.size == 1:
            return values
        there = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(there)
        return tuple(there.tolist())

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give every parameter the sum of all processes' gradients."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # this process had no row
                parameter.grad = torch.zeros_like(parameter)
            distributed.all_reduce(parameter.grad)

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the first one's tensors, in place."""
        if self.size > 1:
            for tensor in tensors:
                distributed.broadcast(tensor.data, 0)

    def wait(self) -> None:
        """Go on when all are here."""
        self.told(0.0)

    def leave(self) -> None:
        """The end of working together."""
        if self.size > 1:
            distributed.destroy_process_group()
