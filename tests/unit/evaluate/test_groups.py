"""What hangs together: named by the file, by the task id, or alone; and no group in two folds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from diffusion.evaluate.groups import folds_of, groups_of, problem_of


def test_a_problem_is_read_from_the_task_id() -> None:
    assert problem_of("SingleLineInfilling/HumanEval/12/L3") == "HumanEval/12"
    assert problem_of("examples/lru_cache.py/line") is None


def test_a_row_belongs_to_what_it_names_then_to_its_problem_then_to_itself() -> None:
    rows = [
        {"task_id": "x/HumanEval/1/L0", "group": "file.py"}, {"task_id": "x/HumanEval/1/L1"},
        {"task_id": "y/HumanEval/1/L2"}, {"task_id": "a"}, {"task_id": "a"},
    ]  # fmt: skip
    assert groups_of(rows) == ["file.py", "HumanEval/1", "HumanEval/1", 3, 4]


@given(st.lists(st.integers(0, 30)), st.integers(1, 5))
def test_no_group_is_in_two_folds_and_no_fold_is_ahead_by_more_than_a_group(
    groups: list[int], folds: int
) -> None:
    found = folds_of(groups, folds)
    assert len(set(zip(groups, found, strict=True))) == len(set(groups))
    sizes = [found.count(fold) for fold in range(folds)]
    largest = max((groups.count(group) for group in groups), default=0)
    assert sum(sizes) == len(groups) and max(sizes) - min(sizes) <= largest


def test_cases_that_stand_alone_take_turns() -> None:
    assert folds_of(range(12), 5) == [i % 5 for i in range(12)]
