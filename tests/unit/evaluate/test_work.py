"""Running a plan: rows in the order of the cases, whoever does the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.infill_eval import Execution
from diffusion.evaluate.work import Plan, Work, run
from tests.unit.evaluate.scripted import ADD, ScriptedFiller

EXAMPLES = Path(__file__).parents[3] / "benchmarks" / "cases" / "examples.jsonl"


class CountingExecutor:
    def __init__(self) -> None:
        self.ran: list[tuple[str, str]] = []

    def execute(self, case: Case, completion: str) -> Execution | None:
        self.ran.append((case.task_id, completion))
        return Execution(completion == case.middle, "passed")


def test_a_case_gets_a_row_for_each_length_and_the_same_text_runs_once() -> None:
    cases = [ADD, replace(ADD, task_id="other")]
    filler = ScriptedFiller({"add": "a + b", "other": "a"})
    executor = CountingExecutor()
    plan = Plan(lengths=("predicted", "oracle", 8))
    found = list(run(plan, cases, work=Work(plan, filler=filler, executor=executor)))
    assert [[row["task_id"] for row in rows] for rows in found] == [["add"] * 3, ["other"] * 3]
    assert [[row["passed"] for row in rows] for rows in found] == [[True] * 3, [False] * 3]
    assert filler.lengths == ["predicted", "oracle", 8] * 2
    assert executor.ran == [("add", "a + b"), ("other", "a")]


@pytest.mark.slow
def test_two_processes_give_the_rows_of_one() -> None:
    cases = read_cases(EXAMPLES)
    plan = Plan(filler="ngram", lengths=("predicted", "oracle"))
    one = [list(rows) for rows in run(plan, cases)]
    two = [list(rows) for rows in run(plan, cases, workers=2)]
    for rows in (*one, *two):
        for row in rows:
            del row["ms"]
    assert one == two


@pytest.mark.slow
def test_a_worker_that_cannot_load_its_model_ends_the_run_with_advice(tmp_path: Path) -> None:
    plan = Plan(model=tmp_path)
    with pytest.raises(EvaluationError, match="--workers 1"):
        list(run(plan, [ADD, ADD], workers=2))


def test_no_filler_and_no_worker_are_refused() -> None:
    with pytest.raises(EvaluationError, match="'magic'"):
        Plan(filler="magic")
    with pytest.raises(EvaluationError, match="--workers"):
        list(run(Plan(filler="copy"), [ADD], workers=0))
