"""Denoisers of ablations compute what their training computes."""

from __future__ import annotations

import torch

from diffusion.model.ablated_denoisers import FullAttentionDenoiser, GapDenoiser
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.model.partition import partition_mask
from diffusion.text.canvas import GAP
from tests.unit.model.conftest import START, Case, random_model


def test_full_attention_equals_one_pass_under_the_training_mask(case: Case) -> None:
    denoiser = FullAttentionDenoiser(random_model("modernbert"))
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    step = denoiser.bind(cache, START)
    found_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    expected = []
    for row, length in zip(case.ids_BN, case.lengths_B.tolist(), strict=True):
        ids_1L = torch.cat((case.context_ids_1C, row[None, :length]), dim=1)
        positions_L = torch.cat((case.context_positions_1C[0], torch.arange(length) + START))
        segments_1L = torch.cat((torch.zeros(cache.tokens), torch.ones(length)))[None].long()
        with torch.inference_mode():
            output = trunk(denoiser.model)(
                input_ids=ids_1L,
                position_ids=positions_L[None],
                attention_mask=partition_mask(segments_1L, blind_context=False),
            )
            hidden_ND = output.last_hidden_state[0, cache.tokens :]
            expected.append(head_logits(denoiser.model, hidden_ND))
    torch.testing.assert_close(found_MV, torch.cat(expected), atol=2e-4, rtol=2e-4)


def test_full_attention_is_not_the_partitioned_one(case: Case) -> None:
    model = random_model("modernbert")
    logits = []
    for denoiser in (MaskedLMDenoiser(model), FullAttentionDenoiser(model)):
        cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
        logits.append(denoiser.bind(cache, START)(case.ids_BN, case.lengths_B, case.valid_BN))
    assert not torch.allclose(logits[0], logits[1], atol=1e-2)


def test_another_gap_moves_the_suffix_only(case: Case) -> None:
    denoiser = GapDenoiser(random_model("modernbert"), GAP + 100)
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    before = case.context_positions_1C < START
    assert torch.equal(cache.positions_1C[before], case.context_positions_1C[before])
    assert torch.equal(cache.positions_1C[~before], case.context_positions_1C[~before] + 100)
    whole = denoiser.encode_context(case.context_ids_1C[:, :START], torch.arange(START)[None])
    assert torch.equal(whole.positions_1C, torch.arange(START)[None])
