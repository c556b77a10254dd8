"""A running average of the weights, which is what gets validated and exported.

The average of the last thousand or so steps is worth a good part of a decay that has not happened
yet, so the exports of a run that is cut short are better ones. Kept in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from diffusion.train.placement import laid_out_like, whole


class WeightAverage:
    """`decay` of 0 keeps no average; the weights themselves stand in for it."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._decay = decay
        self._model = model
        self._average = (
            {n: p.detach().clone() for n, p in model.named_parameters()} if decay else {}
        )

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after `step` steps; early on, the average is a short one."""
        if self._average:
            decay = min(self._decay, (1 + step) / (10 + step))
            average = list(self._average.values())
            weights: list[Tensor] = [p for _, p in self._model.named_parameters()]
            torch._foreach_lerp_(average, weights, 1.0 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """While open, the model's weights are the average."""
        with torch.no_grad():
            self._swap()
        try:
            yield
        finally:
            with torch.no_grad():
                self._swap()

    def _swap(self) -> None:
        for name, parameter in self._model.named_parameters():
            if name in self._average:
                kept = parameter.detach().clone()
                parameter.copy_(self._average[name])
                self._average[name] = kept

    def tensors(self) -> dict[str, Tensor]:
        """The average by name, empty where none is kept. Collective where it is sharded."""
        return {n: whole(a).cpu().contiguous() for n, a in self._average.items()}

    @torch.no_grad()
    def restart(self, tensors: dict[str, Tensor] | None = None) -> None:
        """Go on from `tensors`, or begin anew with the model's weights as they are now."""
        for name, parameter in self._model.named_parameters():
            if name in self._average:
                given = parameter if tensors is None else laid_out_like(tensors[name], parameter)
                self._average[name] = given.detach().to(parameter.device, copy=True)
