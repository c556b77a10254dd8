"""Paired comparison of two runs."""

from __future__ import annotations

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.compare import compare, pairs, table


def row(task: str, exact: bool, **more: object) -> dict[str, object]:
    return {"task_id": task, "exact_match": exact, **more}


OLD = [row(f"t{i}", i % 4 == 0, parses=None) for i in range(40)]
NEW = [row(f"t{i}", i % 2 == 0, parses=None) for i in range(39, -1, -1)]  # another order


def test_a_gain_in_every_fourth_case_is_certain_over_forty() -> None:
    [gain] = compare(OLD, NEW, ("exact_match", "parses", "passed"))
    assert (gain.metric, gain.cases) == ("exact_match", 40)
    assert (gain.old, gain.new, gain.gain) == (0.25, 0.5, 0.25)
    assert 0.05 < gain.low < 0.25 < gain.high < 0.45 and gain.certain
    assert "+0.25" in table([gain]) and "chance" not in table([gain])


def test_equal_runs_differ_by_nothing_and_that_is_not_certain() -> None:
    [gain] = compare(OLD, OLD, ("exact_match",))
    assert (gain.gain, gain.low, gain.high, gain.certain) == (0.0, 0.0, 0.0, False)
    assert "may be chance" in table([gain])


def test_cases_of_one_run_only_are_left_out_and_repeated_ids_keep_their_turn() -> None:
    old = [row("a", True, n=1), row("a", False, n=2), row("b", True)]
    new = [row("a", True, n=1), row("c", True), row("a", True, n=2)]
    assert [(a["n"], b["n"]) for a, b in pairs(old, new)] == [(1, 1), (2, 2)]
    with pytest.raises(EvaluationError, match="share no task id"):
        compare([row("x", True)], [row("y", True)])
