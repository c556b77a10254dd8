"""Who may look at whom in a training row.

Job: from segment numbers to the attention mask of the partitioned layout: context tokens attend
to context only, canvas tokens to context and to their own canvas. This is what makes the context
cache exact (`model.context_cache`); BD3-LM (Arriola et al. 2025) and E2D2 (2025) use the same idea
for blocks.

A row may hold several documents. A segment number is `document * SEGMENTS_PER_DOCUMENT + part`,
part 0 being the context and part k the k-th canvas; PAD_SEGMENT marks padding.
"""

from __future__ import annotations

import torch
from torch import Tensor

SEGMENTS_PER_DOCUMENT = 32
PAD_SEGMENT = -1


def partition_mask(
    segments_BL: Tensor, *, blind_context: bool = True, causal: bool = False
) -> Tensor:
    """Boolean mask [B, 1, L, L], True where the query (third axis) may see the key (fourth).

    Padding sees itself, so that no row of the softmax is empty. With `blind_context=False`
    everything in a document sees everything (the usual masked LM), for the ablation. `causal`
    takes away what comes later in the row: the left-to-right warm start, and the
    autoregressive twin.
    """
    query_BL1, key_B1L = segments_BL[:, :, None], segments_BL[:, None, :]
    visible_BLL = torch.div(query_BL1, SEGMENTS_PER_DOCUMENT, rounding_mode="floor") == torch.div(
        key_B1L, SEGMENTS_PER_DOCUMENT, rounding_mode="floor"
    )
    if blind_context:
        key_is_context_B1L = (key_B1L >= 0) & (key_B1L % SEGMENTS_PER_DOCUMENT == 0)
        visible_BLL = visible_BLL & (key_is_context_B1L | (query_BL1 == key_B1L))
    if causal:
        place_L = torch.arange(segments_BL.shape[1], device=segments_BL.device)
        visible_BLL = visible_BLL & (place_L[None, :] <= place_L[:, None])
    return visible_BLL[:, None]
