"""Corruption and loss: what may be masked, what counts, and how much."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from diffusion.process.loss import masked_token_loss
from diffusion.process.noising import NoiseConfig, complement, noise_slots, noise_window
from diffusion.text.tokenizer import DEL

CONFIG = NoiseConfig()
CANVAS = st.tuples(st.integers(1, 20), st.integers(0, 20)).map(
    lambda sizes: [100 + i for i in range(sizes[0])] + [DEL] * sizes[1]
)


@given(CANVAS, st.integers(0, 10_000))
def test_something_is_masked_and_ends_weigh_one_token(slots: list[int], seed: int) -> None:
    noise = noise_slots(slots, random.Random(seed), CONFIG)
    assert noise.masked
    assert set(noise.scored) <= set(noise.masked) <= set(range(len(slots)))
    ends = [w for i, w in zip(noise.scored, noise.weights, strict=True) if slots[i] == DEL]
    assert sum(ends) == pytest.approx(1.0 if ends else 0.0)
    assert all(
        w == 1.0 for i, w in zip(noise.scored, noise.weights, strict=True) if slots[i] != DEL
    )


@given(CANVAS, st.integers(0, 10_000))
def test_the_tail_is_all_masked_or_all_shown(slots: list[int], seed: int) -> None:
    masked = set(noise_slots(slots, random.Random(seed), CONFIG).masked)
    tail = {i for i, token in enumerate(slots) if token == DEL}
    assert tail <= masked or not tail & masked


@given(CANVAS, st.integers(0, 10_000))
def test_at_t_1_every_slot_is_masked(slots: list[int], seed: int) -> None:
    config = NoiseConfig(known_length=0.0)
    noise = noise_slots(slots, random.Random(seed), config, t=1.0)
    assert noise.masked == tuple(range(len(slots)))


def test_left_contiguous_noise_shows_a_prefix() -> None:
    config = NoiseConfig(left_contiguous=1.0, known_length=0.0)
    for seed in range(50):
        masked = noise_slots(list(range(100, 112)), random.Random(seed), config).masked
        assert masked == tuple(range(masked[0], 12))


def test_share_of_masked_slots_follows_t() -> None:
    config = NoiseConfig(left_contiguous=0.0)
    counts = [
        len(noise_slots([100] * 20, random.Random(s), config, t=0.3).masked) for s in range(9)
    ]
    assert counts == [6] * 9


def test_one_over_t_weights_are_an_option() -> None:
    config = NoiseConfig(inverse_t_weight=True)
    noise = noise_slots([100] * 10, random.Random(0), config, t=0.5)
    assert set(noise.weights) == {2.0}


def test_slots_behind_masks_count_less_and_the_faintest_not_at_all() -> None:
    config = NoiseConfig(nearness=0.5, left_contiguous=1.0, known_length=0.0)
    noise = noise_slots([100] * 3 + [DEL] * 4, random.Random(0), config, t=1.0)
    assert noise.masked == tuple(range(7))
    assert noise.weights[:3] == (1.0, 0.5, 0.25)
    assert sum(noise.weights[3:]) == pytest.approx(0.125)
    assert noise_slots([100] * 30, random.Random(0), config, t=1.0).scored == (0, 1, 2, 3, 4)


@given(CANVAS, st.integers(0, 10_000))
def test_a_slot_right_behind_text_counts_in_full(slots: list[int], seed: int) -> None:
    noise = noise_slots(slots, random.Random(seed), NoiseConfig(nearness=0.5, scored_tail=1))
    masked = set(noise.masked)
    at = dict(zip(noise.scored, noise.weights, strict=True))
    assert all(at[i] == 1.0 for i in masked if i - 1 not in masked)


def test_window_noise_is_between_its_bounds() -> None:
    for seed in range(30):
        noise = noise_window(200, random.Random(seed), CONFIG)
        assert 60 <= len(noise.masked) <= 100
        assert noise.masked == tuple(sorted(set(noise.masked)))


def test_loss_is_the_weighted_mean_in_nats() -> None:
    logits_MV = torch.zeros(2, 8)
    logits_MV[1, 3] = 100.0
    targets_M = torch.tensor([0, 3])
    even = masked_token_loss(logits_MV, targets_M, torch.tensor([1.0, 1.0]))
    assert float(even) == pytest.approx(math.log(8) / 2)
    tilted = masked_token_loss(logits_MV, targets_M, torch.tensor([1.0, 3.0]))
    assert float(tilted) == pytest.approx(math.log(8) / 4)


def test_loss_of_nothing_is_zero() -> None:
    empty = torch.zeros(0, 8)
    assert float(masked_token_loss(empty, torch.zeros(0, dtype=torch.long), torch.zeros(0))) == 0.0


@given(CANVAS, st.integers(0, 10_000))
def test_a_canvas_and_its_twin_mask_all_text_between_them(slots: list[int], seed: int) -> None:
    rng = random.Random(seed)
    noise = noise_slots(slots, rng, CONFIG)
    twin = complement(slots, noise, rng, CONFIG)
    text = {i for i, token in enumerate(slots) if token != DEL}
    tail = set(range(len(slots))) - text
    assert text <= set(noise.masked) | set(twin.masked)
    if not text <= set(noise.masked):
        assert not set(noise.masked) & set(twin.masked) & text
        assert set(noise.masked) & tail == set(twin.masked) & tail
    assert twin.masked and set(twin.scored) <= set(twin.masked)
