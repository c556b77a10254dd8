"""The bet: one context cache, exact for every canvas, in any of four encoder families."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedModel

from diffusion.errors import ModelError, PositionError
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.attention import PASS
from diffusion.model.context_cache import ContextCache, WritePass
from diffusion.model.denoiser import MaskedLMDenoiser
from tests.unit.model.conftest import START, VOCAB, Case, random_model

TOLERANCE = 1e-4


def encode(denoiser: MaskedLMDenoiser, case: Case) -> ContextCache:
    return denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)


def cached(denoiser: MaskedLMDenoiser, case: Case) -> torch.Tensor:
    step = denoiser.bind(encode(denoiser, case), START)
    return step(case.ids_BN, case.lengths_B, case.valid_BN)


def tensors(cache: ContextCache) -> list[torch.Tensor]:
    return [part for layer in cache.layers for part in (layer.key_1HCD, layer.value_1HCD)]


def test_cached_equals_one_uncached_masked_pass(denoiser: MaskedLMDenoiser, case: Case) -> None:
    reference_BNV = denoiser.uncached(
        case.context_ids_1C, case.context_positions_1C, case.ids_BN, case.lengths_B, START
    )
    reference_MV = reference_BNV[case.valid_BN]
    assert reference_MV.std() > 0.1  # else anything is close
    torch.testing.assert_close(cached(denoiser, case), reference_MV, atol=TOLERANCE, rtol=0)


def test_cached_equals_transformers_own_sdpa(model: PreTrainedModel, case: Case) -> None:
    stock = copy.deepcopy(model)
    assert stock.config._attn_implementation == "sdpa"
    denoiser = MaskedLMDenoiser(model)
    logits_MV = cached(denoiser, case)
    at = 0
    for row, length in enumerate(case.lengths_B.tolist()):  # one unpadded pass per canvas
        context = case.context_ids_1C.shape[1]
        may_LL = torch.zeros(context + length, context + length, dtype=torch.bool)
        may_LL[:, :context] = True
        may_LL[context:, context:] = True
        positions_1L = torch.cat(
            (case.context_positions_1C, torch.arange(START, START + length)[None]), dim=1
        )
        with torch.no_grad():
            logits_1LV = stock(
                input_ids=torch.cat((case.context_ids_1C, case.ids_BN[row : row + 1, :length]), 1),
                position_ids=positions_1L + denoiser.positions.offset,
                attention_mask=may_LL[None, None],
            ).logits
        torch.testing.assert_close(
            logits_MV[at : at + length], logits_1LV[0, context:], atol=TOLERANCE, rtol=0
        )
        at += length


def test_every_part_of_the_context_reaches_the_canvas(
    denoiser: MaskedLMDenoiser, case: Case
) -> None:
    before_MV = cached(denoiser, case)
    for column in (0, START - 1, START, -1):
        changed_1C = case.context_ids_1C.clone()
        changed_1C[0, column] = (changed_1C[0, column] + 1) % VOCAB
        other = Case(changed_1C, case.context_positions_1C, case.ids_BN, case.lengths_B)
        assert (cached(denoiser, other) - before_MV).abs().max() > 100 * TOLERANCE


def test_positions_matter(denoiser: MaskedLMDenoiser, case: Case) -> None:
    cache = encode(denoiser, case)
    here = denoiser.bind(cache, START)(case.ids_BN, case.lengths_B, case.valid_BN)
    there = denoiser.bind(cache, START + 5)(case.ids_BN, case.lengths_B, case.valid_BN)
    assert (here - there).abs().max() > 100 * TOLERANCE


def test_positions_are_numbered_as_the_model_was_trained(
    denoiser: MaskedLMDenoiser, case: Case
) -> None:
    """RoBERTa's position 0 is row padding_idx + 1 of its table; the others start at row 0."""
    tokens = case.context_ids_1C.shape[1]
    ours = denoiser.encode_context(case.context_ids_1C, torch.arange(tokens)[None])
    write = WritePass()
    with torch.no_grad():
        trunk(denoiser.model)(input_ids=case.context_ids_1C, **{PASS: write})
    for one, other in zip(tensors(ours), tensors(write.finish(torch.arange(1)[None])), strict=True):
        torch.testing.assert_close(one, other, atol=TOLERANCE, rtol=0)


def test_cache_is_bit_identical_for_all_canvases(denoiser: MaskedLMDenoiser, case: Case) -> None:
    cache = encode(denoiser, case)
    before = [part.clone() for part in tensors(cache)]
    step = denoiser.bind(cache, START)
    for length in range(1, 33):
        for rows in (1, 3):
            ids_BN = torch.randint(0, VOCAB, (rows, length))
            lengths_B = torch.full((rows,), length)
            step(ids_BN, lengths_B, torch.ones_like(ids_BN, dtype=torch.bool))
    again = encode(denoiser, case)
    for old, now, fresh in zip(before, tensors(cache), tensors(again), strict=True):
        assert torch.equal(old, now)
        assert torch.equal(old, fresh)


def test_repeating_a_step_gives_the_same_bits(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    first = step(case.ids_BN, case.lengths_B, case.valid_BN)
    step(torch.flip(case.ids_BN, (0,)), case.lengths_B, case.valid_BN)
    assert torch.equal(first, step(case.ids_BN, case.lengths_B, case.valid_BN))


def test_padding_does_not_matter(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    before_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    scrambled_BN = torch.where(case.valid_BN, case.ids_BN, (case.ids_BN + 7) % VOCAB)
    assert torch.equal(before_MV, step(scrambled_BN, case.lengths_B, case.valid_BN))


def test_canvases_do_not_see_each_other(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    together_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    alone = [
        step(
            case.ids_BN[row : row + 1], case.lengths_B[row : row + 1], case.valid_BN[row : row + 1]
        )
        for row in range(len(case.ids_BN))
    ]
    torch.testing.assert_close(together_MV, torch.cat(alone), atol=TOLERANCE, rtol=0)


def test_head_at_wanted_positions_equals_the_full_head(
    denoiser: MaskedLMDenoiser, case: Case
) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    all_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    wanted_BN = case.valid_BN & (torch.arange(36).view(4, 9) % 3 == 0)
    some_MV = step(case.ids_BN, case.lengths_B, wanted_BN)
    torch.testing.assert_close(some_MV, all_MV[wanted_BN[case.valid_BN]], atol=TOLERANCE, rtol=0)


def test_nothing_wanted_is_an_empty_answer(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    none_BN = torch.zeros_like(case.valid_BN)
    assert step(case.ids_BN, case.lengths_B, none_BN).shape == (0, VOCAB)
    empty = step(
        torch.empty(2, 0, dtype=torch.long), torch.zeros(2, dtype=torch.long), none_BN[:2, :0]
    )
    assert empty.shape == (0, VOCAB)


def test_a_row_without_tokens_is_skipped(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    lengths_B = torch.tensor([9, 0, 1, 0])
    valid_BN = torch.arange(9) < lengths_B[:, None]
    full_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    expected_MV = torch.cat((full_MV[:9], full_MV[13:14]))
    torch.testing.assert_close(
        step(case.ids_BN, lengths_B, valid_BN), expected_MV, atol=TOLERANCE, rtol=0
    )


def test_callers_may_write_to_the_logits(denoiser: MaskedLMDenoiser, case: Case) -> None:
    logits_MV = cached(denoiser, case)
    assert logits_MV.dtype == torch.float32
    logits_MV[:, :32] = float("-inf")


def test_one_denoiser_serves_several_threads(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    rows = [(case.ids_BN.roll(shift, 0), case.lengths_B.roll(shift)) for shift in range(4)] * 4

    def run(row: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        ids_BN, lengths_B = row
        return step(ids_BN, lengths_B, torch.arange(9) < lengths_B[:, None])

    expected = [run(row) for row in rows]
    with ThreadPoolExecutor(4) as pool:
        for got, wanted in zip(pool.map(run, rows), expected, strict=True):
            torch.testing.assert_close(got, wanted, atol=TOLERANCE, rtol=0)


def test_the_model_still_is_an_ordinary_masked_lm(model: PreTrainedModel, case: Case) -> None:
    padded_BL = torch.ones_like(case.ids_BN)
    padded_BL[1, 5:] = 0
    with torch.no_grad():
        before = model(input_ids=case.ids_BN, attention_mask=padded_BL).logits
        MaskedLMDenoiser(model)
        after = model(input_ids=case.ids_BN, attention_mask=padded_BL).logits
        hidden = model.base_model(input_ids=case.ids_BN, attention_mask=padded_BL)
        head = head_logits(model, hidden.last_hidden_state)
    assert torch.equal(before, after)
    torch.testing.assert_close(head, after, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("family", "limit"), [("bert", 128), ("roberta", 128), ("distilbert", 128)]
)
def test_learned_positions_end(family: str, limit: int, case: Case) -> None:
    denoiser = MaskedLMDenoiser(random_model(family))
    assert denoiser.positions.limit == limit
    positions_1C = torch.arange(limit - 25, limit)[None]
    cache = denoiser.encode_context(case.context_ids_1C, positions_1C)  # the last one exists
    with pytest.raises(PositionError, match=r"0\.\.127.*smaller context"):
        denoiser.encode_context(case.context_ids_1C, positions_1C + 1)
    denoiser.bind(cache, limit - 9)(case.ids_BN, case.lengths_B, case.valid_BN)
    with pytest.raises(PositionError, match="position 128 "):
        denoiser.bind(cache, limit - 8)(case.ids_BN, case.lengths_B, case.valid_BN)


def test_rotary_positions_have_no_limit(case: Case) -> None:
    denoiser = MaskedLMDenoiser(random_model("modernbert"))
    assert denoiser.positions.limit is None
    denoiser.encode_context(case.context_ids_1C, case.context_positions_1C + 100_000)


def test_misuse_is_named(denoiser: MaskedLMDenoiser, case: Case) -> None:
    step = denoiser.bind(encode(denoiser, case), START)
    with pytest.raises(ModelError, match="no token"):
        step(case.ids_BN, case.lengths_B, torch.ones_like(case.valid_BN))
    with pytest.raises(ModelError, match="BOF"):
        denoiser.encode_context(case.context_ids_1C[:, :0], case.context_positions_1C[:, :0])
    with pytest.raises(ModelError, match=r"\[1, C\]"):
        denoiser.encode_context(case.ids_BN, case.ids_BN)
    short = ContextCache(encode(denoiser, case).layers[:1], case.context_positions_1C)
    with pytest.raises(ModelError, match="encode the context again"):
        denoiser.bind(short, START)(case.ids_BN, case.lengths_B, case.valid_BN)
    deep = ContextCache(encode(denoiser, case).layers * 2, case.context_positions_1C)
    with pytest.raises(ModelError, match="encode the context again"):
        denoiser.bind(deep, START)(case.ids_BN, case.lengths_B, case.valid_BN)
    denoiser.model.set_attn_implementation("sdpa")
    with pytest.raises(ModelError, match="set_attn_implementation"):
        encode(denoiser, case)


def test_sliding_windows_are_refused() -> None:
    model = ModernBertForMaskedLM(
        ModernBertConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=3,
            num_attention_heads=2,
            pad_token_id=0,
            bos_token_id=3,
            cls_token_id=3,
            eos_token_id=4,
            sep_token_id=4,
        )
    )
    with pytest.raises(ModelError, match="full_attention"):
        MaskedLMDenoiser(model)
