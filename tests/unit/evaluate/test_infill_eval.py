"""The harness: rows, totals, and that one bad case spoils only itself."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from diffusion.cancel import Cancelled
from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import (
    Execution,
    evaluate,
    evaluate_case,
    parse_length,
    totals,
)
from tests.unit.evaluate.scripted import ADD, ScriptedFiller

REQUIRED = {"task_id", "completion", "tokens", "steps", "ms", "confidence", "parses"}
SUMS = {
    "exact_match", "edit_similarity", "parses", "empty", "repetition", "ms_p50", "ms_p95", "cases",
}  # fmt: skip
CASES = [
    replace(ADD, task_id="right", hole="line"),
    replace(ADD, task_id="wrong", hole="line"),
    replace(ADD, task_id="none", hole="ast", language="text"),
    replace(ADD, task_id="bad", hole="ast"),
]
ANSWERS: dict[str, str | BaseException] = {
    "right": "a + b",
    "wrong": "a + (",
    "none": "",
    "bad": RuntimeError("boom"),
}


class AlwaysPasses:
    def runs(self, case: Case) -> bool:
        return case.language != "text"

    def execute(self, case: Case, completion: str) -> Execution | None:
        passed = completion == case.middle
        return (
            None
            if case.language == "text"
            else Execution(passed, "passed" if passed else "failed: x")
        )


def test_every_row_has_the_required_keys_and_is_json() -> None:
    rows = list(evaluate(ScriptedFiller(ANSWERS), CASES, "predicted"))
    assert [row["task_id"] for row in rows] == ["right", "wrong", "none", "bad"]
    for row in rows:
        assert set(row) >= REQUIRED
        assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert (rows[0]["tokens"], rows[0]["steps"], rows[0]["confidence"]) == (5, 2, 0.5)


def test_a_row_says_what_its_case_shares_with_others() -> None:
    cases = [replace(CASES[0], group="HumanEval/3"), CASES[1]]
    rows = list(evaluate(ScriptedFiller(ANSWERS), cases, "predicted"))
    assert [row.get("group") for row in rows] == ["HumanEval/3", None]


def test_a_filler_that_raises_is_an_empty_row_with_the_error() -> None:
    rows = list(evaluate(ScriptedFiller(ANSWERS), CASES, 64))
    assert rows[3]["error"] == "RuntimeError: boom"
    assert (rows[3]["completion"], rows[3]["empty"]) == ("", True)
    assert [("error" in row) for row in rows] == [False, False, False, True]


def test_a_filler_that_raises_is_wrong_also_where_nothing_is_to_be_filled_in() -> None:
    nothing = replace(ADD, task_id="bad", middle="")
    executor = AlwaysPasses()
    row = evaluate_case(ScriptedFiller(ANSWERS), nothing, "predicted", executor=executor)
    assert (row["exact_match"], row["exact_match_strict"], row["edit_similarity"]) == (0, 0, 0)
    assert (row["passed"], row["outcome"]) == (False, "error")
    other = replace(nothing, language="text")
    row = evaluate_case(ScriptedFiller(ANSWERS), other, "predicted", executor=executor)
    assert "passed" not in row and "outcome" not in row


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled()])
def test_being_stopped_is_no_failed_case(stop: BaseException) -> None:
    with pytest.raises(type(stop)):
        list(evaluate(ScriptedFiller({"right": stop}), CASES[:1], "predicted"))


def test_totals_are_means_with_unknowns_left_out() -> None:
    rows = list(evaluate(ScriptedFiller(ANSWERS), CASES, "predicted"))
    got = totals(rows)
    assert set(got) >= SUMS
    assert got["cases"] == 4
    assert got["errors"] == 1
    assert got["exact_match"] == 0.25
    assert got["empty"] == 0.5
    assert got["parses"] == pytest.approx(2 / 3, abs=1e-3)  # a bare `return` parses too
    assert "pass_at_1" not in got
    assert got["by_hole"]["line"]["exact_match"] == 0.5
    assert got["by_hole"]["ast"]["cases"] == 2
    assert set(got["by_language"]) == {"python", "text"}


def test_what_a_fill_takes_leaves_failed_cases_out() -> None:
    rows = list(evaluate(ScriptedFiller(ANSWERS), CASES, "predicted"))
    for row, ms in zip(rows, (10.0, 20.0, 30.0, 5000.0), strict=True):
        row["ms"] = ms
    got = totals(rows)
    assert got["ms_p50"] == 20.0
    assert got["ms_p95"] == pytest.approx(29.0)
    assert totals(rows[3:])["ms_p50"] is None
    assert (got["steps_mean"], got["tokens_mean"]) == (2.0, pytest.approx(10 / 3, abs=1e-3))
    assert totals(rows[3:])["steps_mean"] is None


def test_execution_adds_pass_at_1_over_the_cases_that_can_run() -> None:
    cases = [*CASES, replace(ADD, task_id="right", canonical_ok=False)]
    filler, executor = ScriptedFiller(ANSWERS), AlwaysPasses()
    rows = [evaluate_case(filler, case, "predicted", executor=executor) for case in cases]
    got = totals(rows)
    assert got["pass_at_1"] == pytest.approx(1 / 3, abs=1e-3)
    assert got["executed"] == 3
    assert got["outcomes"] == {"passed": 1, "failed": 1, "error": 1}


def test_a_confidence_that_is_no_number_becomes_null() -> None:
    class Sure(ScriptedFiller):
        def prepare(self, case, length):
            call = super().prepare(case, length)
            return lambda: replace(call(), confidence=float("-inf"))

    (row,) = evaluate(Sure(ANSWERS), CASES[:1], "predicted")
    assert row["confidence"] is None


@pytest.mark.parametrize(
    ("text", "length"), [("predicted", "predicted"), ("oracle", "oracle"), ("64", 64), ("1", 1)]
)
def test_lengths_are_read(text: str, length: str | int) -> None:
    assert parse_length(text) == length


@pytest.mark.parametrize("text", ["", "0", "-3", "129", "half", "1.5", "\u0663", "1" * 4301])
def test_other_lengths_are_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match="length"):
        parse_length(text)
