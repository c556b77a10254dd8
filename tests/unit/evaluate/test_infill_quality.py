"""The benchmark script over its own cases, with the baselines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_the_last_line_is_one_json_document_without_paths(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    command = [sys.executable, "benchmarks/infill_quality.py", "--fillers", "copy,ngram"]
    done = subprocess.run(
        [*command, "--lengths", "predicted", "--out", str(out)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    report = json.loads(lines[-1])
    assert lines[0].startswith("| file | cases | filler | length | exact_match")
    assert json.loads(out.read_text("utf-8")) == report
    assert [run["filler"] for run in report["runs"]] == ["copy", "ngram"]
    assert str(ROOT) not in lines[-1] and "/" not in report["machine"]
