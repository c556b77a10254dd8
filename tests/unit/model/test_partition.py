"""Who sees whom in a training row."""

from __future__ import annotations

import torch

from diffusion.model.partition import PAD_SEGMENT, SEGMENTS_PER_DOCUMENT, partition_mask

SECOND = SEGMENTS_PER_DOCUMENT
#          context   canvas 1  canvas 2  second document  padding
ROW = [0, 0, 1, 1, 2, SECOND, SECOND + 1, PAD_SEGMENT]
NAMES = "ccaabxyp"


def drawn(mask_B1LL: torch.Tensor) -> list[str]:
    return [
        NAMES[q] + ":" + "".join(n for n, see in zip(NAMES, row, strict=True) if see)
        for q, row in enumerate(mask_B1LL[0, 0].tolist())
    ]


def test_context_is_blind_and_canvases_see_context_and_themselves() -> None:
    segments_BL = torch.tensor([ROW])
    assert drawn(partition_mask(segments_BL)) == [
        "c:cc", "c:cc", "a:ccaa", "a:ccaa", "b:ccb", "x:x", "y:xy", "p:p",
    ]  # fmt: skip


def test_full_attention_stays_within_the_document() -> None:
    segments_BL = torch.tensor([ROW])
    assert drawn(partition_mask(segments_BL, blind_context=False)) == [
        "c:ccaab", "c:ccaab", "a:ccaab", "a:ccaab", "b:ccaab", "x:xy", "y:xy", "p:p",
    ]  # fmt: skip


def test_causal_takes_away_what_comes_later() -> None:
    segments_BL = torch.tensor([[0, 0, 1, 1, 2, PAD_SEGMENT]])
    mask = partition_mask(segments_BL, causal=True)[0, 0]
    plain = partition_mask(segments_BL)[0, 0]
    assert torch.equal(mask, plain.tril())
    assert mask.diagonal().all()
