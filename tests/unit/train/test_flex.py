"""The rule for pairs of places is the mask, and FlexAttention with it is our attention."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask, flex_attention

from diffusion.model.partition import PAD_SEGMENT, SEGMENTS_PER_DOCUMENT, partition_mask
from diffusion.train.attention import additive_mask, row_attention
from diffusion.train.flex import partition_blocks, partition_rule

SECOND = SEGMENTS_PER_DOCUMENT
ROWS = [
    [0, 0, 1, 1, 2, SECOND, SECOND + 1, PAD_SEGMENT],
    [0, 0, 0, 1, 2, 2, 3, 3],
    [0, SECOND, SECOND, SECOND + 4, 2 * SECOND, PAD_SEGMENT, PAD_SEGMENT, PAD_SEGMENT],
]


@pytest.mark.parametrize("blind_context", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_the_rule_is_the_mask(blind_context: bool, causal: bool) -> None:
    segments_BL = torch.tensor(ROWS)
    rule = partition_rule(segments_BL, blind_context=blind_context, causal=causal)
    drawn_B1LL = create_mask(rule, len(ROWS), 1, 8, 8, device="cpu")
    mask_B1LL = partition_mask(segments_BL, blind_context=blind_context, causal=causal)
    assert torch.equal(drawn_B1LL, mask_B1LL)


def test_blocks_that_nobody_sees_are_left_out() -> None:
    segments_BL = torch.arange(4).repeat_interleave(128)[None] * SEGMENTS_PER_DOCUMENT
    blocks = partition_blocks(segments_BL)
    assert blocks.sparsity() == pytest.approx(75.0)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_flex_attends_as_the_processor_does() -> None:
    torch.manual_seed(0)
    segments_BL = torch.tensor(ROWS).repeat_interleave(16, dim=1)
    q, k, v = (torch.randn(3, 2, 128, 16) for _ in range(3))
    flex_BHLD = flex_attention(q, k, v, block_mask=partition_blocks(segments_BL), scale=0.25)
    bias_B1LL = additive_mask(partition_mask(segments_BL), torch.float32)
    torch.testing.assert_close(flex_BHLD, row_attention(q, k, v, bias_B1LL, 0.25))
