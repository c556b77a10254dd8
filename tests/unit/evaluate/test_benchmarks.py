"""Benchmark scripts: what they say of rows, and what they tell before they begin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import (
    calibration,
    compare_runs,
    cross_file,
    engines,
    extent,
    infill_quality,
    line_tasks,
    roofline,
    suspicious_tokens,
    syntax_repair,
    tune_repository,
)
from diffusion.candidates import Candidate, TokenScore
from diffusion.data.shards import write_shard
from diffusion.errors import EvaluationError
from diffusion.evaluate.benchmark import finish
from diffusion.evaluate.cases import Case
from diffusion.evaluate.results import read_rows
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer

ROOT = Path(__file__).parents[3]
CASE = {"task_id": "t", "language": "python", "prefix": "x = ", "middle": "1", "suffix": "\n"}


def called(monkeypatch: pytest.MonkeyPatch, script: Any, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, words)])
    script.main()


def case_file(path: Path, *cases: dict[str, str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(CASE | case) + "\n" for case in cases), "utf-8")
    return path


def test_engines_are_compared_by_token_where_one_writes_fewer() -> None:
    diffill = [{"ms": 160.0, "steps": 9, "tokens": 16}] * 3
    twin = [{"ms": 40.0, "tokens": 4}, {"ms": 80.0, "tokens": 16}, {"ms": 5.0, "tokens": 0}]
    found = engines.figures(twin, diffill)
    assert (found["times_diffill_p50"], found["times_diffill_per_token_p50"]) == (0.25, 0.75)
    assert found["tokens_mean"] == pytest.approx(20 / 3)
    assert engines.figures(twin[2:], diffill[2:])["times_diffill_per_token_p50"] is None
    head = engines.table({"runs": []}).splitlines()[0]
    assert "tokens_mean" in head and "times_diffill_per_token_p50" in head


def test_the_95th_percentile_of_ten_times_is_the_longest() -> None:
    rows: list[dict[str, Any]] = [
        dict.fromkeys((*line_tasks.METRICS, *syntax_repair.METRICS), 1.0)
        | {"ms": float(n), "steps": 1, "tokens": 1}
        for n in range(1, 11)
    ]
    assert cross_file._times([row["ms"] for row in rows])["p95"] == 10
    assert line_tasks._totals(rows)["ms_p95"] == 10
    assert syntax_repair._totals(rows)["ms_p95"] == 10
    assert engines.figures(rows, rows)["ms_p95"] == 10


def test_holes_of_a_file_name_it() -> None:
    question = SimpleNamespace(
        name="a.py:3", path="a.py", grammar="python", data=b"x = 1\n", reference="x = 1",
        task=SimpleNamespace(start=0, end=5),
    )  # fmt: skip
    assert line_tasks._scored(question, ["x = 1"])["group"] == "a.py"


def test_a_result_file_without_rows_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "_own_rows", lambda: pytest.fail("the model was run"))
    (tmp_path / "empty.jsonl").write_text("\n", "utf-8")
    with pytest.raises(SystemExit, match=r"empty\.jsonl holds no rows"):
        called(monkeypatch, calibration, tmp_path / "empty.jsonl")


def test_two_case_files_of_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (case_file(tmp_path / name / "c.jsonl", {}) for name in "ab")
    with pytest.raises(SystemExit, match=f"{first} and {second}"):
        called(monkeypatch, infill_quality, "--fillers", "copy", "--cases", first, second)


@pytest.mark.parametrize("option", ["--out", "--report", "--rows"])
def test_a_place_that_cannot_be_written_is_told_before_cases_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    words = ("--cases", tmp_path / "none.jsonl", option, tmp_path / "file" / "x")
    with pytest.raises(SystemExit, match=option):
        called(monkeypatch, infill_quality, *words)


@pytest.mark.parametrize("option", ["--out", "--report"])
def test_infill_quality_does_not_replace_its_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    cases = case_file(tmp_path / "c.jsonl", {})
    before = cases.read_bytes()
    words = ("--fillers", "copy", "--cases", f"{cases}:1", option, cases)
    with pytest.raises(SystemExit, match=f"{option} .* is the file of cases"):
        called(monkeypatch, infill_quality, *words)
    assert cases.read_bytes() == before


def test_an_unknown_filler_is_told_before_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infill_quality, "run", lambda *_, **__: pytest.fail("one was run"))
    words = ("--cases", case_file(tmp_path / "c.jsonl", {}), "--fillers", "copy,magic")
    with pytest.raises(SystemExit, match="'magic'"):
        called(monkeypatch, infill_quality, *words)


def test_rows_of_a_filler_are_kept_when_a_later_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--cases", case_file(tmp_path / "c.jsonl", {}), "--lengths", "predicted")
    words += ("--fillers", "copy,diffill", "--model", tmp_path / "no", "--rows", tmp_path / "rows")
    with pytest.raises(SystemExit, match=f"error: .*{tmp_path / 'no'}"):
        called(monkeypatch, infill_quality, *words)
    [row] = read_rows(tmp_path / "rows" / "c.copy.predicted.jsonl")
    assert row["task_id"] == "t"


def test_what_programs_run_under_is_in_the_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--cases", case_file(tmp_path / "c.jsonl", {}), "--fillers", "copy", "--execute")
    called(monkeypatch, infill_quality, *words)
    told = capsys.readouterr()
    layers = json.loads(told.out.splitlines()[-1])["layers"]
    assert "limits" in layers and f"programs run under: {', '.join(layers)}" in told.err


def test_what_was_measured_is_told_before_it_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--cases", case_file(tmp_path / "c.jsonl", {}), "--fillers", "copy")
    with pytest.raises(SystemExit, match=r"cannot write /dev/full .*; give another --out"):
        called(monkeypatch, infill_quality, *words, "--out", "/dev/full")
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["benchmark"] == "infill_quality"


def test_a_file_that_cannot_be_saved_takes_no_other_along(tmp_path: Path) -> None:
    rows = ("--rows", tmp_path / "rows.jsonl", "{}\n")
    with pytest.raises(EvaluationError, match="--out"):
        finish({}, tmp_path, rows)
    assert (tmp_path / "rows.jsonl").read_text("utf-8") == "{}\n"
    with pytest.raises(EvaluationError, match="--rows"):
        finish({}, tmp_path / "out.json", ("--rows", tmp_path, ""))
    assert (tmp_path / "out.json").read_text("utf-8") == "{}\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (cross_file, ("DIR",)), (line_tasks, ("DIR",)), (suspicious_tokens, ()),
        (syntax_repair, ()), (tune_repository, ("DIR",)), (roofline, ()),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Any, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(SystemExit, match=r"error: cannot write .* give another --out"):
        called(monkeypatch, script, *words, "--out", tmp_path / "file" / "x")


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        (syntax_repair, ("--cases", "none"), "there is no case file none"),
        (cross_file, ("DIR", "--model", "none"), "none"),
        (line_tasks, ("DIR", "--model", "none"), "none"),
        (suspicious_tokens, ("--model", "none"), "none"),
    ],
)
def test_a_known_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, script: Any, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SystemExit, match=f"^error: .*{said}"):
        called(monkeypatch, script, *words)


@pytest.mark.parametrize("bins", ["0", "-1", "x"])
def test_bins_are_a_number_from_1_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bins: str
) -> None:
    monkeypatch.setattr(calibration, "_own_rows", lambda: pytest.fail("the model was run"))
    with pytest.raises(SystemExit):
        called(monkeypatch, calibration, f"--bins={bins}")
    assert "no number from 1 up" in capsys.readouterr().err


def test_cases_of_one_run_only_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, tasks in (("old", "abc"), ("new", "bcde")):
        rows = [json.dumps({"task_id": task, "exact_match": True}) for task in tasks]
        (tmp_path / name).write_text("\n".join(rows), "utf-8")
    called(monkeypatch, compare_runs, tmp_path / "old", tmp_path / "new")
    told = capsys.readouterr().out
    report = json.loads(told.splitlines()[-1])
    assert [report[key] for key in ("cases", "only_old", "only_new")] == [2, 1, 2]
    assert "left out: 1 of 3 cases" in told and "2 of 4" in told


def test_ngrams_of_a_corpus_have_a_table_for_each_language_among_the_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    for language, text in (("python", b"ab = cd\n" * 9), ("go", b"if err != nil { return }\n" * 9)):
        write_shard(tmp_path / f"train-{language}-000.bin", [tokenizer.encode(text)])
    cases = case_file(
        tmp_path / "c.jsonl",
        {"prefix": "x\nab", "middle": " = cd"},
        {"prefix": "x\nif err", "middle": " != nil { return }", "language": "go"},
        {"prefix": "x\nab", "middle": " = cd", "language": "rust"},
    )
    called(
        monkeypatch, infill_quality, "--cases", cases, "--fillers", "ngram", "--lengths",
        "predicted", "--corpus", tmp_path, "--tokenizer", bundled_tokenizer_path(),
    )  # fmt: skip
    [run] = json.loads(capsys.readouterr().out.splitlines()[-1])["runs"]
    exact = {name: part["exact_match"] for name, part in run["by_language"].items()}
    assert exact == {"python": 1.0, "go": 1.0, "rust": 0.0}


def test_the_memory_of_a_run_is_its_own_not_that_of_the_largest_before() -> None:
    """In a process of its own: a process begins with the memory of the one that started it."""
    program = """
import os, sys
from benchmarks.tune_repository import run
big = run([sys.executable, "-c", "x = b'1' * 200_000_000; print(len(x))"], os.environ)
small = run([sys.executable, "-c", "import sys; sys.exit('no')"], os.environ)
print(big.stdout.strip(), small.stderr.strip(), big.peak_mb, small.peak_mb)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    length, told, big, small = done.stdout.split()
    assert (length, told) == ("200000000", "no")
    assert int(big) > 190 and 0 < int(small) < 100


def test_a_start_is_right_where_nothing_of_it_would_have_to_go() -> None:
    tokens = (("items", 0.95), (".sort()", 0.9), ("[0]", 0.1))
    text = "".join(word for word, _ in tokens)
    said = tuple(TokenScore(word, p) for word, p in tokens)
    candidate = Candidate(text, 0.08, said, parses=True, canvas_slots=8)
    for middle, start in (("items.sort()", 1), ("zip(a)", 0), ("items.so", 0)):
        filled = [extent.Filled.of(Case("t", "python", "x = ", middle, "\n"), [candidate])]
        assert extent.outcome(filled, extent.whole(0.06)) == {
            "shown": 1, "right": 0, "starts": 0, "right_characters": 0, "wrong_characters": 15,
        }  # fmt: skip
        assert extent.outcome(filled, extent.sure(0.06)) == {
            "shown": 1, "right": start, "starts": 1,
            "right_characters": 12 * start, "wrong_characters": 12 - 12 * start,
        }  # fmt: skip
    bins = extent.reliability(filled)  # of "items.so"
    assert [(one["starts"], one["right"]) for one in bins] == [(1, 0), (1, 0), (1, 1)]
    assert extent.outcome(filled, extent.whole(0.1))["shown"] == 0
