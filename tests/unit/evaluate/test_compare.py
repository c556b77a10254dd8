"""Paired comparison of two runs."""

from __future__ import annotations

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.compare import compare, pairs, table, unmatched


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


def test_holes_of_one_problem_are_drawn_together_also_in_rows_that_name_no_group() -> None:
    old = [row(f"t/HumanEval/{i // 10}/L{i}", False) for i in range(40)]
    new = [row(f"t/HumanEval/{i // 10}/L{i}", i < 10) for i in range(40)]
    [gain] = compare(old, new, ("exact_match",))
    assert (gain.cases, gain.groups, gain.gain, gain.certain) == (40, 4, 0.25, False)
    named = [dict(one, task_id=str(i), group=f"f{i // 10}") for i, one in enumerate(new)]
    before = [dict(one, task_id=str(i)) for i, one in enumerate(old)]
    assert compare(before, named, ("exact_match",)) == [gain]
    assert "| 40 | 4 |" in table([gain])
    [alone] = compare(old[:10], new[:10], ("exact_match",))
    assert (alone.gain, alone.groups, alone.certain) == (1.0, 1, False)


def test_what_a_fill_took_is_unknown_where_a_filler_raised() -> None:
    old = [row("a", True, ms=10.0, steps=4), row("b", True, ms=900.0, steps=0, error="E: x")]
    new = [row("a", True, ms=20.0, steps=6), row("b", False, ms=30.0, steps=8)]
    by_metric = {gain.metric: gain for gain in compare(old, new)}
    assert (by_metric["ms"].cases, by_metric["ms"].gain) == (1, 10.0)
    assert (by_metric["steps"].cases, by_metric["steps"].gain) == (1, 2.0)
    assert by_metric["exact_match"].cases == 2


def test_cases_of_one_run_only_are_left_out_and_repeated_ids_keep_their_turn() -> None:
    old = [row("a", True, n=1), row("a", False, n=2), row("b", True)]
    new = [row("a", True, n=1), row("c", True), row("a", True, n=2)]
    assert [(a["n"], b["n"]) for a, b in pairs(old, new)] == [(1, 1), (2, 2)]
    assert unmatched(old, new) == (1, 1) and unmatched(old[:2], new) == (0, 1)
    with pytest.raises(EvaluationError, match="share no task id"):
        compare([row("x", True)], [row("y", True)])
