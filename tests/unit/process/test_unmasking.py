"""Orders: which slots are committed, given how sure the model is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import SamplerError
from diffusion.process.unmasking import Confidence, LeftmostFirst, Order, Proposals

ORDERS: list[Order] = [
    LeftmostFirst(),
    LeftmostFirst(contiguous=False),
    LeftmostFirst(entropy_budget=None, max_extra=7),
    Confidence(),
    Confidence(k=3),
    Confidence(threshold=0.8),
]


def row(*p: float, slots: tuple[int, ...] = (), entropy: tuple[float, ...] = ()) -> Proposals:
    return Proposals(slots or tuple(range(len(p))), p, entropy or tuple(0.01 for _ in p))


def choose(order: Order, proposals: Proposals, quota: int = 1) -> list[int]:
    return order.choose(proposals, quota)


def test_leftmost_is_taken_however_unsure() -> None:
    assert choose(LeftmostFirst(), row(0.01, 0.5, 0.9)) == [0]


def test_leftmost_takes_certain_followers_up_to_the_limit_and_the_first_doubt() -> None:
    assert choose(LeftmostFirst(), row(0.3, 0.99, 0.99, 0.99, 0.99)) == [0, 1, 2, 3]
    assert choose(LeftmostFirst(), row(0.3, 0.99, 0.9, 0.99)) == [0, 1]
    assert choose(LeftmostFirst(), row(0.3, 0.99, slots=(4, 6))) == [4]
    assert choose(LeftmostFirst(extra_p=0.5), row(0.3, 0.5)) == [0]


def test_leftmost_extras_share_an_entropy_budget() -> None:
    tight = row(0.3, 0.97, 0.97, entropy=(3.0, 0.15, 0.1))
    assert choose(LeftmostFirst(entropy_budget=0.2), tight) == [0, 1]
    assert choose(LeftmostFirst(entropy_budget=None), tight) == [0, 1, 2]


def test_scattered_extras_are_the_surest_of_the_window() -> None:
    order = LeftmostFirst(contiguous=False, max_extra=2)
    assert choose(order, row(0.3, 0.5, 0.99, 0.96, 0.999)) == [0, 4, 2]
    assert order.window == 8


def test_confidence_takes_k_or_all_above_the_threshold() -> None:
    proposals = row(0.1, 0.9, 0.5, 0.95)
    assert choose(Confidence(k=2), proposals) == [3, 1]
    assert choose(Confidence(threshold=0.4), proposals) == [3, 1, 2]
    assert choose(Confidence(threshold=0.99), proposals) == [3]


@given(
    order=st.sampled_from(ORDERS),
    values=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9)), min_size=1, max_size=20),
    gaps=st.lists(st.integers(1, 3), min_size=20, max_size=20),
    quota=st.integers(1, 25),
)
def test_every_order_returns_distinct_offered_slots_and_fills_its_quota(
    order: Order, values: list[tuple[float, float]], gaps: list[int], quota: int
) -> None:
    slots = tuple(sum(gaps[: i + 1]) for i in range(len(values)))
    proposals = Proposals(slots, tuple(p for p, _ in values), tuple(e for _, e in values))
    chosen = order.choose(proposals, quota)
    assert len(chosen) == len(set(chosen)) >= min(quota, len(slots))
    assert set(chosen) <= set(slots)


def test_confidence_of_nothing_is_refused() -> None:
    with pytest.raises(SamplerError, match="k=0"):
        Confidence(k=0)
