"""Schedules: shares rise from clean to all masked; draws have the promised distribution."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import ScheduleError
from diffusion.process.schedule import (
    Bell,
    Cosine,
    Linear,
    Mixture,
    Schedule,
    Staircase,
)

SCHEDULES = [Linear(), Cosine(), Bell(), Bell(0.3, 0.15), Staircase(), Staircase(2, 0.0)]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_share_rises_to_all_masked(schedule: Schedule) -> None:
    shares = [schedule.mask_share(i / 100) for i in range(101)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 0.0 <= shares[0] <= 0.1


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@given(n_slots=st.integers(0, 200), steps=st.integers(1, 80))
def test_tokens_per_step_covers_every_slot(schedule: Schedule, n_slots: int, steps: int) -> None:
    counts = schedule.tokens_per_step(n_slots, steps)
    assert sum(counts) == n_slots
    assert len(counts) == min(steps, n_slots)
    assert all(count >= 1 for count in counts)


def test_linear_steps_are_equal_and_cosine_starts_small() -> None:
    assert Linear().tokens_per_step(32, 8) == [4] * 8
    cosine = Cosine().tokens_per_step(64, 8)
    assert cosine[0] < 4 and cosine[-1] > 10


def test_sample_t_keeps_shape_and_scalars() -> None:
    grid = np.linspace(0, 0.99, 12).reshape(3, 4)
    for sampler in (*SCHEDULES, Mixture()):
        assert sampler.sample_t(grid).shape == (3, 4)
        assert isinstance(sampler.sample_t(0.25), float)
        assert sampler.sample_t(grid)[1, 2] == pytest.approx(sampler.sample_t(grid[1, 2]))


def test_bell_is_the_truncated_normal() -> None:
    normal = NormalDist(0.55, 0.2)
    inside = normal.cdf(1.0) - normal.cdf(0.0)
    draws = np.sort(Bell().sample_t((np.arange(4000) + 0.5) / 4000))
    for x in (0.2, 0.4, 0.55, 0.7, 0.9):
        expected = (normal.cdf(x) - normal.cdf(0.0)) / inside
        assert np.mean(draws < x) == pytest.approx(expected, abs=1e-3)


def test_bell_survives_a_narrow_shape_at_the_edge() -> None:
    shares = Bell(1.0, 0.02).sample_t(np.linspace(0, 1, 1001))
    assert np.all(np.isfinite(shares)) and shares.min() >= 0.0 and shares.max() <= 1.0


def test_staircase_has_ten_equal_levels_from_a_tenth() -> None:
    levels, counts = np.unique(Staircase().sample_t(np.arange(1000) / 1000), return_counts=True)
    assert levels == pytest.approx(np.linspace(0.1, 1.0, 10))
    assert set(counts) == {100}


def test_mixture_has_its_parts_in_exact_shares() -> None:
    draws = Mixture().sample_t((np.arange(1000) + 0.5) / 1000)
    assert np.mean(draws == 1.0) == pytest.approx(0.2, abs=0.001)
    expected_low = 0.2 * 0.1 + 0.6 * np.mean(Bell().sample_t(np.arange(10000) / 10000) < 0.1)
    assert np.mean(draws < 0.1) == pytest.approx(expected_low, abs=0.003)


@pytest.mark.parametrize(
    ("mixture", "expected"),
    [(Mixture(1.0, 0.0), 1.0), (Mixture(0.0, 0.0), 0.625), (Mixture(0.0, 1.0), None)],
)
def test_mixture_of_one_part_is_that_part(mixture: Mixture, expected: float | None) -> None:
    wanted = Bell().sample_t(0.625) if expected is None else expected
    assert mixture.sample_t(0.625) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Bell(sigma=0.0),
        lambda: Bell(mu=1.5),
        lambda: Staircase(1),
        lambda: Mixture(0.7, 0.6),
        lambda: Linear().sample_t([0.5, -0.1]),
        lambda: Linear().mask_share(float("nan")),
        lambda: Linear().tokens_per_step(4, 0),
    ],
)
def test_what_is_no_schedule_is_refused(make) -> None:
    with pytest.raises(ScheduleError):
        make()
