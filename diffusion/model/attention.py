"""Where a transformers model's attention is taken over by a pass of the context cache.

`ATTENTION` is registered with transformers' attention and mask registries. A model whose attention
implementation is set to it hands every layer's query, key and value to `_attend`, together with
the keyword arguments of the trunk's `forward`. The keyword `PASS` carries a `WritePass` or a
`ReadPass` (`diffusion.model.context_cache`). Without it the model behaves as under "sdpa", masks
included. BERT, RoBERTa, DistilBERT and ModernBERT dispatch their attention through it.

Invariant: nothing here is global but the registration.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from diffusion.model.context_cache import Pass

ATTENTION = "diffill_cached"
PASS = "diffill_pass"


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function: [B, H, L, D] three times -> [B, L, H, D]."""
    under_way: Pass | None = kwargs.pop(PASS, None)
    if under_way is None:
        output: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return output
    output_1HLD = under_way.attend(query, key, value, scaling)
    return output_1HLD.transpose(1, 2), None


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
