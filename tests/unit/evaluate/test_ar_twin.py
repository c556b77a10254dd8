"""The comparison with the twin, run as a person would, on two models of random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from diffusion.model.architecture import ModelRecipe, build_model
from diffusion.model.checkpoint import save_checkpoint
from diffusion.model.manifest import FIM
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import VOCAB_SIZE

ROOT = Path(__file__).parents[3]


def run(*arguments: object) -> list[str]:
    done = subprocess.run(
        [sys.executable, "benchmarks/ar_twin.py", *map(str, arguments)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_both_fill_the_same_cases_and_gains_are_paired(
    tmp_path: Path, tiny_model_dir: Path
) -> None:
    recipe = ModelRecipe("tiny", width=64, layers=2, inner=96)
    torch.manual_seed(1)
    twin = tmp_path / "twin"
    model = build_model(recipe, VOCAB_SIZE)
    save_checkpoint(twin, model, bundled_tokenizer_path(), recipe=recipe, objective=FIM)
    out = tmp_path / "result.json"
    lines = run(
        "--diffusion", tiny_model_dir, "--twin", twin, "--limit", 2, "--lengths", "oracle,8",
        "--precision", "fp32", "--out", out, "--rows", tmp_path / "rows",
    )  # fmt: skip
    report = json.loads(lines[-1])
    assert lines[0].startswith("| file | cases | filler | length | exact_match")
    assert json.loads(out.read_text("utf-8")) == report
    assert [(r["filler"], r["length"]) for r in report["runs"]] == [
        (name, length) for length in ("oracle", 8) for name in ("twin", "served", "bare")
    ]
    assert all(r["cases"] == 2 and r["errors"] == 0 for r in report["runs"])
    assert {g["run"] for g in report["gains"]} == {"served", "bare"}
    assert {g["metric"] for g in report["gains"]} >= {"exact_match", "ms"}
    models = report["models"]
    assert (models["diffusion"]["objective"], models["twin"]["objective"]) == ("diffusion", "fim")
    assert len(list((tmp_path / "rows").iterdir())) == 6
    assert str(tmp_path) not in lines[-1]


@pytest.mark.slow
def test_without_a_twin_it_says_so() -> None:
    assert json.loads(run()[-1]) == {"benchmark": "ar_twin", "runs": [], "gains": []}
