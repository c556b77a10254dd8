"""Is filling holes by diffusion better than writing them left to right, and is it faster?

Takes a diffusion model and its autoregressive twin (`diffill pretrain --twin`) and fills the same
cases with both, case by case in turn and in one process, so that quality is paired and the machine
is the same for both clocks. `served` is the diffusion model as an editor gets it; `bare` is the
same without the document's votes and without its fitted ranking, since the twin has neither.
Gains are diffusion over twin with 95 % bootstrap intervals. The last line on stdout is one JSON
document; `--out` saves it. Without `--twin` there is nothing to compare, and that is said.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish, row_file, row_places
from diffusion.evaluate.cases import Case, file_name, read_case_files, split_name
from diffusion.evaluate.compare import compare
from diffusion.evaluate.eval_cli import told_executor
from diffusion.evaluate.infill_eval import Executor, Filler, Length, parse_length, totals
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import (
    ModelFiller,
    measuring_config,
    served_dir,
    weights_hash,
)
from diffusion.evaluate.results import RowFile
from diffusion.evaluate.twin_filler import load_twin
from diffusion.evaluate.work import Plan, Work

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"
METRICS = ("exact_match", "edit_similarity", "parses", "empty", "repetition", "passed", "ms")
COLUMNS = (
    "exact_match", "pass_at_1", "edit_similarity", "parses", "empty", "repetition", "steps_mean",
    "ms_p50", "ms_p95",
)  # fmt: skip
TWIN = "twin"
FILLERS = (TWIN, "served", "bare")

Rows = dict[tuple[str, Length], list[dict[str, Any]]]


@as_script
def main() -> None:
    arguments = _arguments()
    if arguments.twin is None:
        print("no --twin: train one with `diffill pretrain --twin --export DIR`", file=sys.stderr)
        print(json.dumps({"benchmark": "ar_twin", "runs": [], "gains": []}))
        return
    report = measure(arguments)
    print(table(report))
    finish(report, arguments.out)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every filler over every file at every length."""
    lengths = tuple(parse_length(length) for length in arguments.lengths.split(","))
    paths = [split_name(named)[0] for named in arguments.cases]
    places = row_places(arguments.rows, map(file_name, paths), FILLERS, lengths)
    check_places(("--out", arguments.out), *places, read=paths)
    executor = told_executor() if arguments.execute else None
    fillers = _fillers(arguments)
    runs, gains = [], []
    for file, cases in _read(arguments).items():
        rows: Rows = {}
        for length in lengths:
            rows |= _in_turn(Plan(lengths=(length,)), fillers, cases, executor)
        for (name, length), found in rows.items():
            runs.append({"file": file, "filler": name, "length": length, **totals(found)})
            if arguments.rows is not None:
                with RowFile(row_file(arguments.rows, file, name, length)) as out:
                    for row in found:
                        out.write(row)
            if name != TWIN:
                for gain in compare(rows[TWIN, length], found, METRICS):
                    gains.append({"file": file, "run": name, "length": length, **asdict(gain)})
    return {
        "benchmark": "ar_twin",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "order": arguments.order,
        "lines": arguments.lines,
        "precision": arguments.precision,
        **({} if executor is None else {"layers": list(executor.layers)}),
        "models": {
            "diffusion": _about(served_dir(arguments.diffusion)),
            "twin": _about(arguments.twin),
        },
        "runs": runs,
        "gains": gains,
    }


def table(report: dict[str, Any]) -> str:
    """The runs and the gains in exact match and time as Markdown tables."""
    columns = [c for c in COLUMNS if any(one.get(c) is not None for one in report["runs"])]
    lines = [
        " | ".join(["| file", "cases", "filler", "length", *columns]) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for one in report["runs"]:
        cells = [one["file"], one["cases"], one["filler"], one["length"]]
        cells += ["" if one.get(c) is None else f"{one[c]:.4g}" for c in columns]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "| file | over the twin | length | metric | twin | diffusion | gain | 95 % |"]
    lines.append("|---" * 8 + "|")
    for gain in report["gains"]:
        lines.append(
            f"| {gain['file']} | {gain['run']} | {gain['length']} | {gain['metric']} | "
            f"{gain['old']:.4g} | {gain['new']:.4g} | {gain['gain']:+.4g} | "
            f"{gain['low']:+.4g} to {gain['high']:+.4g} |"
        )
    return "\n".join(lines) + "\n"


def _fillers(arguments: argparse.Namespace) -> dict[str, Filler]:
    """The twin, the diffusion model as served, and the same without its extras."""
    fillers: dict[str, Filler] = {
        TWIN: load_twin(
            arguments.twin,
            threads=arguments.threads,
            precision=arguments.precision,
            order=arguments.order,
            lines=arguments.lines,
        )
    }
    fillers["served"] = ModelFiller(_infiller(arguments))
    fillers["bare"] = ModelFiller(_infiller(arguments)).bare()
    return fillers


def _infiller(arguments: argparse.Namespace) -> Any:
    from diffusion.infill import Infiller

    return Infiller.load(
        arguments.diffusion,
        threads=arguments.threads,
        precision=arguments.precision,
        device="cpu",
        config=measuring_config(),
    )


def _in_turn(
    plan: Plan, fillers: dict[str, Filler], cases: list[Case], executor: Executor | None = None
) -> Rows:
    """Each case is filled by one filler after the other, at one length."""
    [length] = plan.lengths
    works = {
        name: Work(plan, filler=filler, executor=executor) for name, filler in fillers.items()
    }
    rows: Rows = {(name, length): [] for name in works}
    for done, case in enumerate(cases, start=1):
        for name, work in works.items():
            rows[name, length] += work.rows(case)
        if done % 50 == 0 or done == len(cases):
            print(f"{length}: {done} of {len(cases)} cases", file=sys.stderr)
    return rows


def _about(folder: Path) -> dict[str, Any]:
    """What a model folder says of itself."""
    from diffusion.model.manifest import Manifest

    manifest = Manifest.read(folder)
    known = {} if manifest is None else {
        "recipe": manifest.recipe.get("name"),
        "tokens_seen": manifest.tokens_seen,
        "objective": manifest.objective,
        "tokenizer_hash": manifest.tokenizer_hash,
    }  # fmt: skip
    return {"hash": weights_hash(folder), **known}


def _read(arguments: argparse.Namespace) -> dict[str, list[Case]]:
    return read_case_files(arguments.cases, limit=arguments.limit, sample=arguments.sample)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diffusion", type=Path, metavar="DIR", help="by default the bundled one")
    parser.add_argument("--twin", type=Path, metavar="DIR", help="the twin's model folder")
    parser.add_argument(
        "--cases", nargs="+", default=[str(OWN_CASES)], metavar="FILE[:N]",
        help="case files; with :N a fixed random N of them",
    )  # fmt: skip
    parser.add_argument("--lengths", default="predicted,oracle,64", metavar="LENGTH,...")
    parser.add_argument("--order", choices=("spm", "psm"), default="spm", help="of the twin")
    parser.add_argument("--lines", action="store_true", help="the twin may write several")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16", "int8"), default="auto")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N cases of each file")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed random N of each file")
    parser.add_argument("--execute", action="store_true", help="run Python cases that have tests")
    parser.add_argument("--threads", type=int, metavar="N", help="for both models")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    parser.add_argument("--rows", type=Path, metavar="DIR", help="save the rows of each run here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
