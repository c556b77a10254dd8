"""How many lengths to try, how many rows to split off, what would the right length be worth?

Fills holes of a corpus's validation text (never of a benchmark set) with the canvas sizes of
several policies, and with the true length. For each policy: exact match by the order of
candidates by hand, by a fitted one (cross-validated), and the most that any order could reach;
similarity, steps and milliseconds. The last line on stdout is one JSON document.
`diffill calibrate --quantiles --forks` makes a policy the model's own.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.errors import EvaluationError
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.calibrate import calibrate
from diffusion.evaluate.infill_eval import totals
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.evaluate.validation_holes import validation_holes
from diffusion.evaluate.work import Plan, run
from diffusion.model.manifest import TOKENIZER_FILE
from diffusion.text.hole_length import QUANTILES
from diffusion.text.tokenizer import Tokenizer

POLICIES = {
    "one": ((0.95,), 0),
    "one shorter": ((0.85,), 0),
    "one shorter with 2 forks": ((0.85,), 2),
    "one with 2 forks": ((0.95,), 2),
    "one with 4 forks": ((0.95,), 4),
    "two": ((0.6, 0.95), 0),
    "two with 1 fork": ((0.6, 0.95), 1),
    "three": ((0.4, 0.75, 0.95), 0),
    "four": (QUANTILES, 0),
    "five": ((0.2, 0.4, 0.6, 0.8, 0.95), 0),
    "seven": ((0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.97), 0),
}
"""Shares of the lengths that canvases are to cover, and the forks of each canvas."""


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out))
    report = measure(arguments)
    columns = ("by_hand", "fitted", "best", "edit_similarity", "parses", "steps_mean", "ms_p50")
    print(f"| policy | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for row in report["policies"]:
        cells = ("" if row[c] is None else f"{row[c]:.3f}" for c in columns)
        print(f"| {row['policy']} | {' | '.join(cells)} |")
    finish(report, arguments.out)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every policy over the same holes."""
    folder = served_dir(arguments.model)
    tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
    cases = validation_holes(arguments.corpus, tokenizer, arguments.count, seed=arguments.seed)
    policies: list[dict[str, Any]] = []
    for name in ("oracle", *arguments.policies.split(",")):
        quantiles, forks = POLICIES.get(name, (None, 0))
        plan = Plan(
            lengths=("oracle" if name == "oracle" else "predicted",),
            model=folder,
            threads=1,
            quantiles=quantiles,
            forks=forks,
            evidence=True,
        )
        rows = [row for [row] in run(plan, cases, workers=arguments.workers)]
        found = totals(rows)
        exact: dict[str, float | None] = {"by_hand": None, "fitted": None, "best": None}
        try:
            fit = calibrate(rows)
            exact = {"by_hand": fit.by_hand, "fitted": fit.fitted, "best": fit.best}
        except EvaluationError as error:
            print(f"{name}: {error}", file=sys.stderr)
        kept = ("exact_match", "edit_similarity", "parses", "empty", "steps_mean", "ms_p50")
        policies.append({"policy": name, **exact, **{key: found[key] for key in kept}})
    return {
        "benchmark": "length_choice",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "cases": len(cases),
        "policies": policies,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--policies", default=",".join(POLICIES), metavar="NAME,...")
    parser.add_argument("--cases", dest="count", type=int, default=200, metavar="N")
    parser.add_argument("--seed", type=int, default=2, help="0 and 1 are fitted to")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    arguments = parser.parse_args()
    unknown = set(arguments.policies.split(",")) - set(POLICIES)
    if unknown:
        parser.error(f"unknown policy {sorted(unknown)[0]}; there are {', '.join(POLICIES)}")
    return arguments


if __name__ == "__main__":
    main()
