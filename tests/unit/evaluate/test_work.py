"""Running a plan: rows in the order of the cases, whoever does the work."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.alive import is_alive
from diffusion.errors import DiffillError, EvaluationError
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.infill_eval import Execution
from diffusion.evaluate.work import Plan, Work, run
from tests.unit.evaluate.scripted import ADD, ScriptedFiller

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "benchmarks" / "cases" / "examples.jsonl"


class CountingExecutor:
    def runs(self, case: Case) -> bool:
        return True

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
def test_what_a_worker_cannot_load_is_told_as_without_workers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(model=tmp_path)
    with pytest.raises(DiffillError) as alone:
        list(run(plan, [ADD, ADD]))
    with pytest.raises(type(alone.value)) as among_others:
        list(run(plan, [ADD, ADD], workers=2))
    assert str(among_others.value) == str(alone.value) and str(tmp_path) in str(alone.value)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
def test_no_worker_outlives_who_started_it() -> None:
    """Not even where that was killed, and could stop none of them."""
    program = (
        "import os, signal\n"
        "from multiprocessing import active_children\n"
        "from diffusion.evaluate.cases import read_cases\n"
        "from diffusion.evaluate.work import Plan, run\n"
        "if __name__ == '__main__':\n"
        f"    cases = read_cases({str(EXAMPLES)!r}) * 40\n"
        "    filled = run(Plan(filler='copy'), cases, workers=2)\n"
        "    next(filled)\n"
        "    print(*(worker.pid for worker in active_children()), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # Workers hold stdout, too: it comes to its end when all of them have.
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=60, check=False
    )
    started = [int(pid) for pid in done.stdout.split()]
    assert done.returncode == -signal.SIGKILL and started
    assert not [pid for pid in started if is_alive(pid)]


def test_no_filler_and_no_worker_are_refused() -> None:
    with pytest.raises(EvaluationError, match="'magic'"):
        Plan(filler="magic")
    with pytest.raises(EvaluationError, match="--workers"):
        list(run(Plan(filler="copy"), [ADD], workers=0))
