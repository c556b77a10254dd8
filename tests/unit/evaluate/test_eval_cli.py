"""`diffill eval` from the outside: files, stdout, exit status."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.errors import EvaluationError
from diffusion.evaluate import eval_cli, model_filler, work
from diffusion.evaluate.cases import Case
from diffusion.evaluate.results import read_rows
from diffusion.evaluate.work import Plan, Work
from tests.unit.evaluate.scripted import ScriptedFiller

RECORD = {"language": "python", "prefix": "x = ", "middle": "1", "suffix": "\n"}
ANSWERS: dict[str, str | BaseException] = {"t0": "1", "t1": "2", "t2": ValueError("no")}


class Loaded(ScriptedFiller):
    """What `load_model` returns in these tests."""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    lines = [json.dumps({"task_id": task, **RECORD}) + "\n" for task in ANSWERS]
    path.write_text("".join(lines), "utf-8")
    return path


@pytest.fixture
def filler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loaded]:
    loaded = Loaded(dict(ANSWERS))
    monkeypatch.setattr(model_filler, "load_model", lambda directory, **_: loaded)
    monkeypatch.setattr(model_filler, "weights_hash", lambda directory: "0123456789ab")
    yield loaded


def run(*arguments: object) -> Any:
    return CliRunner().invoke(eval_cli.app, [str(a) for a in arguments])


def test_rows_and_totals(cases: Path, filler: Loaded, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    result = run(cases, "--out", out, "--length", "oracle")
    assert result.exit_code == 0
    totals = json.loads(result.stdout.splitlines()[-1])
    assert totals["cases"] == 3 and totals["errors"] == 1
    assert totals["exact_match"] == pytest.approx(1 / 3, abs=1e-3)
    assert (totals["length"], totals["model_hash"]) == ("oracle", "0123456789ab")
    assert filler.lengths == ["oracle"] * 3
    rows = read_rows(out)
    assert [(row["task_id"], row["completion"]) for row in rows] == [
        ("t0", "1"),
        ("t1", "2"),
        ("t2", ""),
    ]
    assert "t2" in result.stderr and "ValueError: no" in result.stderr
    assert not (tmp_path / "out.jsonl.partial").exists()


def test_a_number_is_a_fixed_length_and_limit_cuts(
    cases: Path, filler: Loaded, tmp_path: Path
) -> None:
    result = run(cases, "--out", tmp_path / "o", "--length", "64", "--limit", 1)
    assert json.loads(result.stdout.splitlines()[-1])["cases"] == 1
    assert filler.lengths == [64]


def test_a_model_needs_a_thread(cases: Path, filler: Loaded, tmp_path: Path) -> None:
    result = run(cases, "--out", tmp_path / "o", "--threads", "0")
    assert result.exit_code == 2 and "--threads" in result.stderr
    assert filler.lengths == []


def test_every_case_failing_is_a_failed_run(cases: Path, filler: Loaded, tmp_path: Path) -> None:
    filler.answers.update({task: OSError("gone") for task in ANSWERS})
    result = run(cases, "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert json.loads(result.stdout.splitlines()[-1])["errors"] == 3


def test_an_interrupted_run_keeps_the_old_file_and_the_partial_rows(
    cases: Path, filler: Loaded, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"task_id": "old"}\n', "utf-8")
    filler.answers["t1"] = KeyboardInterrupt()
    result = run(cases, "--out", out)
    assert result.exit_code == 130
    assert read_rows(out) == [{"task_id": "old"}]
    assert [row["task_id"] for row in read_rows(tmp_path / "out.jsonl.partial")] == ["t0"]


def test_results_do_not_take_the_place_of_the_cases(cases: Path, filler: Loaded) -> None:
    before = cases.read_bytes()
    result = run(cases, "--out", cases.parent / "." / cases.name)
    assert isinstance(result.exception, EvaluationError)
    assert "is the file of cases" in str(result.exception)
    assert cases.read_bytes() == before and filler.lengths == []


@pytest.mark.parametrize(
    ("out", "report"),
    [("o", "cases.jsonl"), ("o", "o"), ("o", "o.partial"), ("cases.jsonl", "r.html")],
)
def test_no_file_takes_the_place_of_another(
    cases: Path, filler: Loaded, out: str, report: str
) -> None:
    before = cases.read_bytes()
    result = run(cases, "--out", cases.parent / out, "--report", cases.parent / report)
    assert isinstance(result.exception, EvaluationError)
    assert "which it would replace" in str(result.exception)
    assert cases.read_bytes() == before and filler.lengths == []


def test_a_misspelt_case_file_is_named_also_where_results_are_there(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("", "utf-8")
    result = run(tmp_path / "none.jsonl", "--out", tmp_path / "o")
    assert isinstance(result.exception, EvaluationError)
    assert "there is no case file" in str(result.exception)


def test_sigterm_keeps_the_partial_rows_as_ctrl_c_does(
    cases: Path, filler: Loaded, tmp_path: Path
) -> None:
    class Stopped(dict[str, str | BaseException]):
        def __getitem__(self, task: str) -> str | BaseException:
            if task == "t1":
                signal.raise_signal(signal.SIGTERM)
            return super().__getitem__(task)

    filler.answers = Stopped(ANSWERS)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a run that is deaf to it goes on
    try:
        result = run(cases, "--out", tmp_path / "o")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert result.exit_code == 143 and "stopped after 1 cases" in result.stderr
    assert [row["task_id"] for row in read_rows(tmp_path / "o.partial")] == ["t0"]
    assert not (tmp_path / "o").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no jail on Windows")
@pytest.mark.parametrize("workers", [1, 2])
def test_what_programs_run_under_is_told_and_in_the_totals(
    cases: Path, filler: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    in_this_process = work.run

    def filled(plan: Plan, cases: list[Case], *, workers: int, work: Work | None) -> Any:
        yield from in_this_process(plan, cases, work=work)

    monkeypatch.setattr(eval_cli, "run", filled)
    result = run(cases, "--out", tmp_path / "o", "--execute", "--workers", workers)
    layers = json.loads(result.stdout.splitlines()[-1])["layers"]
    assert "limits" in layers and f"programs run under: {', '.join(layers)}" in result.stderr


def test_the_totals_are_told_before_the_report_is_written(
    cases: Path, filler: Loaded, tmp_path: Path
) -> None:
    result = run(cases, "--out", tmp_path / "o", "--report", "/dev/full")
    assert isinstance(result.exception, EvaluationError) and "--report" in str(result.exception)
    assert json.loads(result.stdout.splitlines()[-1])["cases"] == 3


def test_a_broken_case_file_is_told_before_the_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(model_filler, "load_model", refuse)
    report = tmp_path / "new" / "report.html"
    result = run(tmp_path / "none.jsonl", "--out", tmp_path / "o", "--report", report)
    assert isinstance(result.exception, EvaluationError)
    assert not [*tmp_path.iterdir()], "nothing was made"


def test_a_report_that_cannot_be_written_is_told_before_a_case_is_filled(
    cases: Path, filler: Loaded, tmp_path: Path
) -> None:
    result = run(cases, "--out", tmp_path / "o", "--report", cases / "report.html")
    assert isinstance(result.exception, EvaluationError) and "--report" in str(result.exception)
    assert filler.lengths == []
