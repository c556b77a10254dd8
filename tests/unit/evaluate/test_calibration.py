"""Reliability on rows whose calibration is known by construction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.calibration import plot, reliability


def rows(*pairs: tuple[float | None, bool]) -> list[dict[str, Any]]:
    return [{"confidence": c, "exact_match": hit} for c, hit in pairs]


def test_a_calibrated_confidence_has_no_error() -> None:
    data = rows(*[(0.75, i % 4 != 0) for i in range(40)], *[(0.25, i % 4 == 0) for i in range(40)])
    got = reliability(data, bins=2)
    assert got.expected_error == pytest.approx(0.0)
    assert [b.count for b in got.bins] == [40, 40]
    assert got.ranking == pytest.approx(0.75)


def test_overconfidence_is_the_gap() -> None:
    got = reliability(rows(*[(0.9, i % 2 == 0) for i in range(20)]), bins=1)
    assert got.expected_error == pytest.approx(0.4)
    assert got.ranking == pytest.approx(0.5)


def test_ranking_is_one_when_hits_come_first_and_none_without_hits() -> None:
    assert reliability(rows((0.1, False), (0.2, True), (0.9, True))).ranking == 1.0
    assert reliability(rows((0.1, True), (0.9, False))).ranking == 0.0
    assert reliability(rows((0.1, False))).ranking is None


def test_rows_without_a_confidence_are_left_out() -> None:
    got = reliability(rows((0.5, True), (None, False)))
    assert [group.count for group in got.bins] == [1]


@pytest.mark.parametrize("confidence", [-0.1, 1.1])
def test_a_confidence_that_is_no_probability_is_an_error(confidence: float) -> None:
    with pytest.raises(EvaluationError, match="confidences run from"):
        reliability(rows((confidence, True), (0.5, False)))


def test_no_confidence_at_all_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="confidence"):
        reliability(rows((None, True)))


def test_the_plot_is_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / "reliability.png"
    plot(reliability(rows((0.2, False), (0.8, True))), target, title="t")
    assert target.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("exact", "gap"), [(50, 0.0), (20, 0.3)])
def test_where_confidences_tie_it_does_not_matter_which_bin_a_hit_falls_in(
    exact: int, gap: float
) -> None:
    """Sorted with the hits last, equal bins would hold misses alone or hits alone."""
    got = reliability(rows(*[(0.5, i < exact) for i in range(100)]))
    assert got.expected_error == pytest.approx(gap)
    assert {round(b.exact_match, 9) for b in got.bins} == {exact / 100}


def test_a_tie_that_a_bound_parts_leaves_its_neighbours_alone() -> None:
    got = reliability(rows((0.2, False), (0.5, False), (0.5, True), (0.8, True)), bins=2)
    assert [b.exact_match for b in got.bins] == [0.25, 0.75]
    assert [(b.low, b.high) for b in got.bins] == [(0.2, 0.5), (0.5, 0.8)]
