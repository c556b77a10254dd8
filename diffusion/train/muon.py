"""Muon (Jordan et al. 2024): the momentum of a weight matrix, orthogonalised, is its update.

Computes what `torch.optim.Muon` does, with the same state. Torch's always iterates in bfloat16,
which a processor without such arithmetic emulates, so that a step of nano took 18 s; here the
precision is given. And matrices of one shape go through the Newton-Schulz iteration together, since
each by itself is too small a product for an accelerator.

Invariant: a matrix's update depends on that matrix alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

_A, _B, _C = 3.4445, -4.7750, 2.0315
"""Of the quintic iteration, from Jordan's note: they take singular values to about 1 in 5 steps."""
_STEPS = 5
_SMALLEST_NORM = 1e-7
_MOMENTUM = "momentum_buffer"


class Muon(Optimizer):
    """For matrices only; rates are scaled by sqrt(max(1, rows / columns)), as in the original."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        """`dtype`: of the iteration's products."""
        settings = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__(parameters, settings)
        self._dtype = dtype
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim != 2:
                    raise ValueError(f"Muon is for matrices, not for {tuple(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of every matrix that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[Any, list[nn.Parameter]] = {}
            for number, parameter in enumerate(group["params"]):
                if parameter.grad is not None:
                    sharded = number if isinstance(parameter, DTensor) else None
                    alike.setdefault((parameter.shape, sharded), []).append(parameter)
            for parameters in alike.values():
                self._update(parameters, group)
        return loss

    def _update(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        directions: list[Tensor] = []
        for parameter in parameters:
            gradient = parameter.grad
            assert gradient is not None
            state = self.state[parameter]
            if _MOMENTUM not in state:
                state[_MOMENTUM] = torch.zeros_like(gradient)
            mean = state[_MOMENTUM].lerp_(gradient, 1 - momentum)
            directions.append(gradient.lerp(mean, momentum))  # Nesterov's
        together = len(directions) > 1
        updates = orthogonalised(
            torch.stack(directions) if together else directions[0], self._dtype
        )
        rows, columns = parameters[0].shape
        scaled_lr = lr * max(1.0, rows / columns) ** 0.5
        for parameter, update in zip(
            parameters, updates.unbind() if together else (updates,), strict=True
        ):
            parameter.mul_(1 - lr * group["weight_decay"])
            parameter.add_(update.to(parameter.dtype), alpha=-scaled_lr)


def orthogonalised(matrices: Tensor, dtype: torch.dtype) -> Tensor:
    """The nearest semi-orthogonal matrix to each of [..., m, n], roughly, in `dtype`.

    Singular values end up between about 0.7 and 1.2.
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.to(dtype)
    if tall:
        x = x.mT
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(_SMALLEST_NORM)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * (gram @ gram)) @ x
    return x.mT if tall else x
