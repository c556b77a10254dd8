"""Benchmark scripts: what they say of rows, and what they tell before they begin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import calibration, cross_file, engines, infill_quality, line_tasks, syntax_repair
from diffusion.data.shards import write_shard
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
