"""Decoding with a cache gives the logits of one uncached pass, whatever way the text is read."""

from __future__ import annotations

import pytest
import torch
from transformers import PreTrainedModel

from diffusion.errors import ModelError, PositionError
from diffusion.model.decoder import CausalDecoder
from tests.unit.model.conftest import VOCAB, random_model

TEXT = tuple(torch.randint(32, VOCAB, (17,), generator=torch.Generator().manual_seed(3)).tolist())


def test_cached_logits_equal_a_full_recompute(model: PreTrainedModel) -> None:
    decoder = CausalDecoder(model)
    whole_LV = decoder.uncached(TEXT)
    decoding, logits_V = decoder.start(TEXT[:9], 8)
    found = [logits_V, *(decoding.next((token,)) for token in TEXT[9:])]
    torch.testing.assert_close(torch.stack(found), whole_LV[8:], atol=2e-4, rtol=2e-4)
    assert decoding.read == len(TEXT)


def test_several_tokens_may_be_read_at_once() -> None:
    decoder = CausalDecoder(random_model("modernbert"))
    decoding, _ = decoder.start(TEXT[:4], 13)
    logits_V = decoding.next(TEXT[4:])
    torch.testing.assert_close(logits_V, decoder.uncached(TEXT)[-1], atol=2e-4, rtol=2e-4)


def test_what_comes_later_changes_nothing() -> None:
    decoder = CausalDecoder(random_model("modernbert"))
    other = (*TEXT[:10], *((token + 1) % VOCAB for token in TEXT[10:]))
    one_LV, two_LV = decoder.uncached(TEXT), decoder.uncached(other)
    torch.testing.assert_close(one_LV[:10], two_LV[:10], atol=2e-4, rtol=2e-4)
    assert not torch.allclose(one_LV[10:], two_LV[10:], atol=1e-2)


def test_two_texts_share_nothing() -> None:
    decoder = CausalDecoder(random_model("modernbert"))
    one, logits_V = decoder.start(TEXT[:5], 2)
    two, _ = decoder.start(TEXT[8:], 1)
    two.next((40,))
    torch.testing.assert_close(logits_V, decoder.uncached(TEXT[:5])[-1], atol=2e-4, rtol=2e-4)
    torch.testing.assert_close(
        one.next((TEXT[5],)), decoder.uncached(TEXT[:6])[-1], atol=2e-4, rtol=2e-4
    )


def test_no_room_and_nothing_to_read_are_refused() -> None:
    decoder = CausalDecoder(random_model("modernbert"))
    decoding, _ = decoder.start(TEXT[:5], 1)
    decoding.next((40,))
    with pytest.raises(ModelError, match="1 tokens after 6 do not fit a decoding of 6"):
        decoding.next((41,))
    with pytest.raises(ModelError, match="read one token at least"):
        decoder.start((), 3)


def test_learned_positions_run_out() -> None:
    with pytest.raises(PositionError, match=r"0\.\.127"):
        CausalDecoder(random_model("bert")).start(TEXT, 120)
