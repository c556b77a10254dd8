"""The vocabulary head and its cross-entropy in one: logits become their gradient where they lie.

At a 16k vocabulary the logits of a batch are its largest tensor, and torch makes five passes over
float32 copies of them. Here they are computed in pieces that fit the processor's cache, in the
training precision, and turned in place into the gradient of the loss, from which the gradients of
hidden states and weights follow at once (the idea of Liger's fused linear cross-entropy, 2024).

Sums are kept in float32; the loss agrees with `process.loss.masked_token_loss` to the precision
of the logits (`tests/unit/train/test_head_loss.py`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PIECE = 128
"""Targets at a time: 128 x 16,384 bfloat16 logits are 4 MB."""
ACCELERATOR_PIECE = 4096
"""On an accelerator: large enough that starting the kernels costs nothing."""


class _HeadLoss(torch.autograd.Function):
    """sum(weight * cross-entropy); its gradients are computed in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_MD: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        targets_M: Tensor,
        weights_M: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        x_MD, w_VD = hidden_MD.to(dtype), weight_VD.to(dtype)
        grad_MV = x_MD.new_empty(x_MD.shape[0], w_VD.shape[0])
        total = torch.zeros((), dtype=torch.float32, device=x_MD.device)
        at_once = PIECE if x_MD.device.type == "cpu" else ACCELERATOR_PIECE
        for start in range(0, x_MD.shape[0], at_once):
            piece = slice(start, start + at_once)
            logits_PV = torch.mm(x_MD[piece], w_VD.t(), out=grad_MV[piece])
            if bias_V is not None:
                logits_PV.add_(bias_V.to(dtype))
            targets_P1 = targets_M[piece, None]
            share_P = weights_M[piece].float()
            right_P = logits_PV.gather(1, targets_P1)[:, 0].float()
            peak_P1 = logits_PV.amax(-1, keepdim=True)
            sum_P = logits_PV.sub_(peak_P1).exp_().sum(-1, dtype=torch.float32)
            total += ((sum_P.log() + peak_P1[:, 0].float() - right_P) * share_P).sum()
            logits_PV.mul_((share_P / sum_P)[:, None].to(dtype))
            logits_PV.scatter_add_(1, targets_P1, -share_P[:, None].to(dtype))
        bias_grad = None if bias_V is None else grad_MV.sum(0, dtype=torch.float32)
        # Under LoRA the projection is frozen, and its gradient a third of the head's products.
        weight_grad = grad_MV.t() @ x_MD if ctx.needs_input_grad[1] else None
        ctx.save_for_backward(grad_MV @ w_VD, weight_grad, bias_grad)
        ctx.dtypes = hidden_MD.dtype, weight_VD.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        hidden_MD, weight_VD, bias_V = ctx.saved_tensors
        hidden_dtype, weight_dtype = ctx.dtypes
        return (
            hidden_MD.to(hidden_dtype) * grads[0],
            None if weight_VD is None else weight_VD.to(weight_dtype) * grads[0],
            None if bias_V is None else bias_V * grads[0],
            None,
            None,
            None,
        )


def head_loss(
    hidden_MD: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    targets_M: Tensor,
    weights_M: Tensor,
    *,
    dtype: torch.dtype,
) -> Tensor:
    """Sum of `weights_M` times the cross-entropy of `hidden_MD @ weight_VD' + bias_V`, in nats.

    Args:
        hidden_MD: features at the M positions to predict.
        weight_VD: the decoder's weights, one row a token.
        bias_V: its bias, or None.
        targets_M: true ids.
        weights_M: weight of each position; give them divided by their sum for a mean.
        dtype: of the matrix products.
    """
    total: Tensor = _HeadLoss.apply(hidden_MD, weight_VD, bias_V, targets_M, weights_M, dtype)
    return total
