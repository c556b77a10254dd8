"""The bundled model through the harness: the rows have their schema, at every length."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffusion.evaluate.cases import read_cases
from diffusion.evaluate.infill_eval import evaluate, totals
from diffusion.evaluate.model_filler import load_model
from diffusion.pretrained import bundled_model_dir

EXAMPLES = Path(__file__).parents[3] / "benchmarks" / "cases" / "examples.jsonl"
WEIGHTS = bundled_model_dir() / "model.safetensors"


@pytest.mark.model
@pytest.mark.skipif(not WEIGHTS.exists(), reason=f"no {WEIGHTS.name} in {WEIGHTS.parent.name}")
def test_three_cases_at_three_lengths() -> None:
    cases = read_cases(EXAMPLES, limit=3)
    filler = load_model(threads=1)
    assert filler.model_hash is not None
    for length in ("predicted", "oracle", 64):
        rows = list(evaluate(filler, cases, length))
        assert totals(rows)["errors"] == 0, [row.get("error") for row in rows]
        for row in rows:
            assert isinstance(row["completion"], str)
            assert row["parses"] in (True, False)
            assert row["steps"] >= 0 and row["tokens"] >= 0 and row["ms"] > 0
            assert row["empty"] or isinstance(row["confidence"], float)
            json.dumps(row, allow_nan=False)
