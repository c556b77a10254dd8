"""Canvas tokens that keep their keys and values: what is read again, and what that changes."""

from __future__ import annotations

import random

import pytest
import torch

from diffusion.errors import ModelError
from diffusion.model.architecture import ModelRecipe, build_model
from diffusion.model.caching import CachingDenoiser
from diffusion.model.context_cache import ContextCache
from diffusion.model.kept_slots import KeptSlots
from diffusion.model.lean_denoiser import LeanDenoiser
from diffusion.text.tokenizer import MASK
from tests.unit.model.conftest import START, VOCAB, Case, random_model

ATOL = {"fp32": 1e-4, "bf16": 0.05, "int8": 0.1}


def lean(layers: int, mode: str = "fp32") -> LeanDenoiser:
    torch.manual_seed(3)
    model = build_model(ModelRecipe("tiny", width=128, layers=layers, inner=96), VOCAB)
    found = LeanDenoiser.of(model.config.to_dict(), model.state_dict(), mode)
    assert found is not None
    return found


def encoded(denoiser: CachingDenoiser, case: Case) -> ContextCache:
    return denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)


def batch(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, rows))
    ids_BN = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    return ids_BN, torch.tensor([len(row) for row in rows])


def wanted(rows: list[list[int]], slots: list[list[int]]) -> torch.Tensor:
    wanted_BN = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.bool)
    for row, chosen in enumerate(slots):
        wanted_BN[row, chosen] = True
    return wanted_BN


def masked(row: list[int]) -> list[int]:
    return [slot for slot, token in enumerate(row) if token == MASK]


@pytest.mark.parametrize("mode", list(ATOL))
def test_the_first_pass_is_a_step(mode: str, case: Case) -> None:
    denoiser = lean(3, mode)
    cache = encoded(denoiser, case)
    asked = (case.ids_BN, case.lengths_B, case.valid_BN)
    torch.testing.assert_close(
        KeptSlots(denoiser, cache, START)(*asked),
        denoiser.bind(cache, START)(*asked),
        atol=ATOL[mode],
        rtol=0.0,
    )


@pytest.mark.parametrize("mode", list(ATOL))
@pytest.mark.parametrize("seed", range(3))
def test_where_tokens_see_nobody_before_they_are_read_nothing_is_lost(
    mode: str, seed: int, case: Case
) -> None:
    """With one layer, keys and values depend on their token alone: any order of passes is exact."""
    denoiser = lean(1, mode)
    cache = encoded(denoiser, case)
    keep, exact = KeptSlots(denoiser, cache, START), denoiser.bind(cache, START)
    rng = random.Random(seed)
    rows = [[rng.randrange(9, VOCAB) for _ in range(3)] + [MASK] * n for n in (5, 9, 9)]
    while rows:
        slots = [rng.sample(masked(row), min(3, len(masked(row)))) for row in rows]
        asked = (*batch(rows), wanted(rows, slots))
        torch.testing.assert_close(keep(*asked), exact(*asked), atol=ATOL[mode], rtol=0.0)
        if rng.random() < 0.3:
            rows.append(list(rng.choice(rows)))  # a fork
        for row in rows:
            for slot in rng.sample(masked(row), min(2, len(masked(row)))):
                row[slot] = rng.randrange(9, VOCAB)
        rows = [row for row in rows if masked(row)]
        rng.shuffle(rows)


def test_later_passes_read_what_was_put_and_what_is_wanted(case: Case) -> None:
    denoiser = lean(3)
    keep = KeptSlots(denoiser, encoded(denoiser, case), START)
    one, other = [9, 10] + [MASK] * 6, [9, 10] + [MASK] * 3
    keep(*batch([one, other]), wanted([one, other], [[2, 3], [2]]))
    assert keep.tokens_read == 13
    one = [9, 10, 20, 21] + [MASK] * 4
    keep(*batch([one, other]), wanted([one, other], [[4, 5, 6], [2]]))
    assert keep.tokens_read == 13 + 2 + 3 + 1
    keep(*batch([one]), wanted([one], [[4]]))
    assert keep.tokens_read == 13 + 6 + 1


def test_another_canvas_is_read_as_a_whole(case: Case) -> None:
    denoiser = lean(3)
    cache = encoded(denoiser, case)
    keep, exact = KeptSlots(denoiser, cache, START), denoiser.bind(cache, START)
    keep(*batch([[9, MASK, MASK]]), wanted([[9, MASK, MASK]], [[1]]))
    longer = [[9, MASK, MASK, MASK]]
    asked = (*batch(longer), wanted(longer, [[1, 3]]))
    torch.testing.assert_close(keep(*asked), exact(*asked), atol=1e-4, rtol=0.0)


def test_a_fork_takes_nothing_from_its_parent_but_what_both_have_seen(case: Case) -> None:
    """Though the parent's canvas is nearer to it by now than its own was."""
    denoiser = lean(3)
    cache = encoded(denoiser, case)
    passes: list[tuple[list[list[int]], list[list[int]]]] = [
        ([[9] + [MASK] * 6], [[1]]),
        ([[9, 20, 30, 40] + [MASK] * 3, [9, 21] + [MASK] * 5], [[4], [2]]),
        ([[9, 20, 30, 40] + [MASK] * 3, [9, 21, 30, 40] + [MASK] * 3], [[4], [4]]),
    ]
    beside, alone = KeptSlots(denoiser, cache, START), KeptSlots(denoiser, cache, START)
    for rows, slots in passes:
        logits_MV = beside(*batch(rows), wanted(rows, slots))
        last_MV = alone(*batch(rows[-1:]), wanted(rows[-1:], slots[-1:]))
    torch.testing.assert_close(logits_MV[1:], last_MV, atol=1e-4, rtol=0.0)


def test_after_a_pass_that_failed_every_token_is_read(case: Case) -> None:
    denoiser = lean(3)
    cache = encoded(denoiser, case)
    keep, exact = KeptSlots(denoiser, cache, START), denoiser.bind(cache, START)
    row = [9, 10] + [MASK] * 4
    keep(*batch([row]), wanted([row], [[2]]))
    broken = [9, 10, VOCAB + 1] + [MASK] * 3  # no such token
    with pytest.raises(IndexError):
        keep(*batch([broken]), wanted([broken], [[3]]))
    row = [9, 10, 20] + [MASK] * 3
    asked = (*batch([row]), wanted([row], [[3]]))
    torch.testing.assert_close(keep(*asked), exact(*asked), atol=1e-4, rtol=0.0)


def test_what_is_kept_is_what_the_token_saw_when_it_was_read(case: Case) -> None:
    """So a later pass differs a little from a step that reads everything: that is the price."""
    denoiser = lean(3)
    cache = encoded(denoiser, case)
    keep, exact = KeptSlots(denoiser, cache, START), denoiser.bind(cache, START)
    row = [9, 10] + [MASK] * 6
    keep(*batch([row]), wanted([row], [[2]]))
    row = [9, 10, 20] + [MASK] * 5
    asked = (*batch([row]), wanted([row], [[3]]))
    difference = (keep(*asked) - exact(*asked)).abs().max()
    assert 1e-4 < difference < exact(*asked).abs().max()


def test_a_model_on_transformers_keeps_slots_too(case: Case) -> None:
    from diffusion.model.denoiser import MaskedLMDenoiser

    model = random_model("modernbert", gain=1.0)
    lean_one = LeanDenoiser.of(model.config.to_dict(), model.state_dict(), "fp32")
    assert lean_one is not None
    said = []
    for denoiser in (lean_one, MaskedLMDenoiser(model)):
        keep = KeptSlots(denoiser, encoded(denoiser, case), START)
        row = [9, 10] + [MASK] * 6
        keep(*batch([row]), wanted([row], [[2]]))
        row = [9, 10, 20] + [MASK] * 5
        said.append(keep(*batch([row]), wanted([row], [[3, 4]])))
    torch.testing.assert_close(*said, atol=1e-4, rtol=1e-4)


def test_logits_at_padding_are_refused(case: Case) -> None:
    denoiser = lean(1)
    keep = KeptSlots(denoiser, encoded(denoiser, case), START)
    rows = [[9, MASK], [9, MASK, MASK]]
    with pytest.raises(ModelError, match="where a canvas has no token"):
        keep(*batch(rows), wanted(rows, [[2], [1]]))
    assert keep(*batch(rows), wanted(rows, [[], []])).shape == (0, VOCAB)
