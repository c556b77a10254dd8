"""Tensors that may be shared out over processes: made whole, and laid out again.

Knows DTensor so that optimisers and averages need not. Gathering is collective: where a tensor is
sharded, all processes must call `whole` on it, in the same order.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor in one piece, in every process."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def laid_out_like(tensor: Tensor, parameter: Tensor) -> Tensor:
    """A whole tensor, the same in all processes, on `parameter`'s device and sharded as it is."""
    there = tensor.to(parameter.device)
    if not isinstance(parameter, DTensor):
        return there
    return distribute_tensor(there, parameter.device_mesh, parameter.placements)
