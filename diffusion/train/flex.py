"""Attention for training on an accelerator: FlexAttention with block masks.

Most blocks of a row's mask are empty: other documents, other canvases, the future. FlexAttention
skips them, where torch's own masked attention computes them and throws them away. The rule of who
sees whom is `model.partition`'s, said here for single pairs of places
(`tests/unit/train/test_flex.py` holds the two equal).

The compiled kernel is kept out of the compiled layers around it, as torchtune does: it is fast
only when compiled, and compiling it twice is not supported.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from diffusion.model.partition import SEGMENTS_PER_DOCUMENT

FLEX = "diffill_flex"
_FORWARD_TILES = {"BLOCK_M": 64, "BLOCK_N": 64, "fwd_num_warps": 4, "fwd_num_stages": 3}
"""For heads of 64: 0.25 ms where torch's own choice takes 0.68 (64 rows of 1,024, H200, 2.11)."""
Visible = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def partition_rule(
    segments_BL: Tensor, *, blind_context: bool = True, causal: bool = False
) -> Visible:
    """`partition_mask` as a function of batch, head, query and key index.

    Few comparisons of small integers: the kernel asks this of every pair of places, in registers
    that it needs for its tiles.
    """
    segments_BL = segments_BL.int()
    # Of a query's document; padding gets a number that no segment has.
    context_BL = segments_BL - segments_BL % SEGMENTS_PER_DOCUMENT

    def visible(b: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        if blind_context:
            segment = segments_BL[b, key]
            sees = (segment == segments_BL[b, query]) | (segment == context_BL[b, query])
        else:
            sees = context_BL[b, key] == context_BL[b, query]
        if causal:
            sees = sees & (key <= query)
        return sees

    return visible


def partition_blocks(
    segments_BL: Tensor, *, blind_context: bool = True, causal: bool = False
) -> BlockMask:
    """The mask of a batch for FlexAttention, the same for every head."""
    rows, length = segments_BL.shape
    rule = partition_rule(segments_BL, blind_context=blind_context, causal=causal)
    made: Any = _compiled_blocks() if segments_BL.device.type == "cuda" else create_block_mask
    blocks: BlockMask = made(rule, rows, None, length, length, device=str(segments_BL.device))
    return blocks


@cache
def _compiled_blocks() -> Callable[..., Any]:
    """Without compiling, the mask of every pair of places would be written out first."""
    return torch.compile(create_block_mask, dynamic=False)


@cache
def _compiled() -> Callable[..., Any]:
    return torch.compile(flex_attention, dynamic=False)


@torch.compiler.disable(recursive=False)
def _flex(q_BHLD: Tensor, k_BHLD: Tensor, v_BHLD: Tensor, mask: BlockMask, scale: float) -> Any:
    if q_BHLD.device.type != "cuda":
        return flex_attention(q_BHLD, k_BHLD, v_BHLD, block_mask=mask, scale=scale)
    return _compiled()(
        q_BHLD, k_BHLD, v_BHLD, block_mask=mask, scale=scale, kernel_options=_FORWARD_TILES
    )


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    *,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: [B, H, L, D] three times -> [B, L, H, D]."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    dtype = value.dtype
    out_BHLD = _flex(query.to(dtype), key.to(dtype), value, attention_mask, scale)
    return out_BHLD.transpose(1, 2), None


def _mask_as_given(*_: Any, attention_mask: Any = None, **__: Any) -> Any:
    return attention_mask


AttentionInterface.register(FLEX, _attend)
AttentionMaskInterface.register(FLEX, _mask_as_given)
