"""The benchmark of the time from a key to ghost text still measures something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_one_round_is_measured(version: str, tmp_path: Path) -> None:
    out = tmp_path / "found.json"
    command = [sys.executable, "benchmarks/neovim_ghost.py", "--rounds", "1", "--ways", version]
    command += ["--engines", "scripted", "--out", str(out)]
    run = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    [found] = json.loads(out.read_text())["results"]
    assert (found["way"], found["shown"]) == (version, 1)
    assert 0 < found["ms_p50"] < 6000
