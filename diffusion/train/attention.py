"""Attention for training on a processor: matrix products, one row of the batch at a time.

torch's fused CPU kernel spends about three times as long on a masked 512-token row as these
products do (docs/training.md has the figures): the processor's bfloat16 units are behind the
matrix product, and a row's scores fit its cache. The softmax's output is kept for the backward
pass, which costs H * L * L * 2 bytes a row and layer and saves computing it again.

How a model gets here: `ROWWISE` is registered with transformers' attention and mask registries,
as `model.context_cache` does for serving; the mask that the objective builds is passed through
as it is. On an accelerator `train.flex` takes its place, where Triton is there to build its kernel,
and torch's own attention elsewhere (`training_attention`).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from diffusion.train.flex import FLEX

ROWWISE = "diffill_rowwise"
NAMES = ("sdpa", FLEX, ROWWISE)
"""What there is to train with."""


def training_attention(device: torch.device) -> str:
    """The name of the attention function to train with on `device`."""
    if device.type == "cpu":
        return ROWWISE
    return FLEX if device.type == "cuda" and find_spec("triton") is not None else "sdpa"


def additive_mask(mask_B1LL: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask (True: may look) as what is added to the scores: 0 or minus infinity."""
    zero = torch.zeros((), dtype=dtype, device=mask_B1LL.device)
    return torch.where(mask_B1LL, zero, float("-inf"))


class _RowAttention(torch.autograd.Function):
    """softmax(scale * q k' + bias) v over [B, H, L, D], row by row of B."""

    @staticmethod
    def forward(
        ctx: Any, q_BHLD: Tensor, k_BHLD: Tensor, v_BHLD: Tensor, bias_B1LL: Tensor, scale: float
    ) -> Tensor:
        rows, heads, length, _ = q_BHLD.shape
        q_BHLD, k_BHLD, v_BHLD = q_BHLD.contiguous(), k_BHLD.contiguous(), v_BHLD.contiguous()
        out_BHLD = torch.empty_like(q_BHLD)
        p_BHLL = q_BHLD.new_empty(rows, heads, length, length)
        for b in range(rows):
            bias_HLL = bias_B1LL[b].expand(heads, length, length)
            scores_HLL = torch.baddbmm(bias_HLL, q_BHLD[b], k_BHLD[b].transpose(1, 2), alpha=scale)
            torch.softmax(scores_HLL, dim=-1, out=p_BHLL[b])
            torch.bmm(p_BHLL[b], v_BHLD[b], out=out_BHLD[b])
        ctx.save_for_backward(q_BHLD, k_BHLD, v_BHLD, p_BHLL, out_BHLD)
        ctx.scale = scale
        return out_BHLD

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        q_BHLD, k_BHLD, v_BHLD, p_BHLL, out_BHLD = ctx.saved_tensors
        g_BHLD = grads[0].contiguous()
        dq_BHLD, dk_BHLD, dv_BHLD = map(torch.empty_like, (q_BHLD, k_BHLD, v_BHLD))
        delta_BHL1 = (g_BHLD * out_BHLD).sum(-1, keepdim=True)
        for b in range(q_BHLD.shape[0]):
            torch.bmm(p_BHLL[b].transpose(1, 2), g_BHLD[b], out=dv_BHLD[b])
            ds_HLL = torch.bmm(g_BHLD[b], v_BHLD[b].transpose(1, 2))
            ds_HLL.sub_(delta_BHL1[b]).mul_(p_BHLL[b]).mul_(ctx.scale)
            torch.bmm(ds_HLL, k_BHLD[b], out=dq_BHLD[b])
            torch.bmm(ds_HLL.transpose(1, 2), q_BHLD[b], out=dk_BHLD[b])
        return dq_BHLD, dk_BHLD, dv_BHLD, None, None


def row_attention(
    q_BHLD: Tensor, k_BHLD: Tensor, v_BHLD: Tensor, bias_B1LL: Tensor, scale: float
) -> Tensor:
    """Attention output [B, H, L, D]. Every query must be allowed at least one key.

    Args:
        q_BHLD, k_BHLD, v_BHLD: of one dtype, float32 or bfloat16.
        bias_B1LL: added to the scores, of the same dtype; see `additive_mask`.
        scale: of the scores, usually D ** -0.5.
    """
    out: Tensor = _RowAttention.apply(q_BHLD, k_BHLD, v_BHLD, bias_B1LL, scale)
    return out


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: [B, H, L, D] three times -> [B, L, H, D]."""
    assert attention_mask is not None, "the training objective always gives a mask"
    dtype = attention_mask.dtype
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out_BHLD = row_attention(query.to(dtype), key.to(dtype), value.to(dtype), attention_mask, scale)
    return out_BHLD.transpose(1, 2), None


def _mask_as_given(*_: Any, attention_mask: Tensor | None = None, **__: Any) -> Tensor | None:
    return attention_mask


AttentionInterface.register(ROWWISE, _attend)
AttentionMaskInterface.register(ROWWISE, _mask_as_given)
