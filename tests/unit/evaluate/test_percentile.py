"""A percentile is a value that was measured, and as many as it says are not above it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.evaluate.percentile import percentile


def test_it_is_rounded_up() -> None:
    assert [percentile(range(1, n + 1), 95) for n in (1, 10, 20, 21, 100)] == [1, 10, 19, 20, 95]
    assert percentile([3, 1, 2], 50) == 2 and percentile([2, 1], 50) == 1
    with pytest.raises(ValueError, match="no values"):
        percentile([], 95)


@given(st.lists(st.integers(), min_size=1), st.integers(1, 100))
def test_as_many_as_it_says_are_not_above_it_and_no_smaller_value_has_so_many(
    values: list[int], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values)
    assert 100 * sum(value < found for value in values) < percent * len(values)
