"""What does each of the sampler's rules do? Every one switched by itself, on the same cases.

Each variant differs in one thing from what serving uses. Prints rates with the paired gain in
edit similarity over serving's own settings. The last line on stdout is one JSON document. Cases
come from case files or, with `--corpus`, from validation text.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.compare import compare
from diffusion.evaluate.infill_eval import parse_length, totals
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.evaluate.work import Plan, run
from diffusion.infill import InfillConfig
from diffusion.process.guards import Guards
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import Confidence, LeftmostFirst

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"


def variants() -> dict[str, SamplerConfig]:
    """One change each; "serving" first."""
    serving = InfillConfig().sampler
    return {
        "serving": serving,
        "no guards": replace(serving, guards=Guards.none()),
        "may be empty": replace(serving, allow_empty=True),
        "no race": replace(serving, race_nats=None),
        "race 3": replace(serving, race_nats=3.0),
        "one token a step": replace(serving, order=LeftmostFirst(max_extra=0)),
        "extras from p 0.8": replace(serving, order=LeftmostFirst(extra_p=0.8, entropy_budget=0.6)),
        "most confident first": replace(serving, order=Confidence()),
        "no early end": replace(serving, end_p=1.0),
        "end from p 0.5": replace(serving, end_p=0.5),
        "remask": replace(serving, remask=True),
        "remask, drop 0.8": replace(serving, remask=True, remask_drop=0.8),
    }


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out), read=() if arguments.corpus else arguments.cases)
    report = measure(arguments)
    columns = (
        "exact_match", "edit_similarity", "parses", "empty", "repetition", "steps_mean", "ms_p50",
    )  # fmt: skip
    print(f"| variant | {' | '.join(columns)} | similarity gained |\n|---{'|---' * 8}|")
    for row in report["variants"]:
        cells = " | ".join("" if row[c] is None else f"{row[c]:.3f}" for c in columns)
        gain = row["gains"]["edit_similarity"]
        said = f"{gain['gain']:+.3f} [{gain['low']:+.3f}, {gain['high']:+.3f}]"
        print(f"| {row['variant']} | {cells} | {said} |")
    finish(report, arguments.out)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every variant over the same cases."""
    folder = served_dir(arguments.model)
    cases = _cases(arguments, folder)
    found: list[dict[str, Any]] = []
    base: list[dict[str, Any]] = []
    for name, sampler in variants().items():
        plan = Plan(
            lengths=(parse_length(arguments.length),), model=folder, threads=1, sampler=sampler
        )
        rows = [row for [row] in run(plan, cases, workers=arguments.workers)]
        base = base or rows
        gains = compare(base, rows, ("exact_match", "edit_similarity", "repetition", "empty"))
        found.append(
            {"variant": name, **totals(rows), "gains": {g.metric: asdict(g) for g in gains}}
        )
        print(f"{name}: {found[-1]['edit_similarity']}", file=sys.stderr)
    return {
        "benchmark": "sampler_options",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "length": arguments.length,
        "cases": len(cases),
        "variants": found,
    }


def _cases(arguments: argparse.Namespace, folder: Path) -> list[Case]:
    if arguments.corpus is None:
        cases = [c for path in arguments.cases for c in read_cases(path, sample=arguments.count)]
        return cases
    from diffusion.evaluate.validation_holes import validation_holes
    from diffusion.model.manifest import TOKENIZER_FILE
    from diffusion.text.tokenizer import Tokenizer

    tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
    return validation_holes(arguments.corpus, tokenizer, arguments.count, seed=arguments.seed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, nargs="+", default=[OWN_CASES], metavar="FILE")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="validation text instead")
    parser.add_argument("--count", type=int, default=24, metavar="N", help="cases of each file")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--length", default="predicted")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
