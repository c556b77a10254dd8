"""What is syntax repair worth? The same holes with it and without.

Prints, for each, how often the first candidate is exact, how often it parses, how often any of
three candidates parses (what an automatic request can show), and the time. A deadline, as in an
editor, can be given. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.cases import Case, read_cases
from diffusion.evaluate.compare import compare
from diffusion.evaluate.machine import describe
from diffusion.evaluate.model_filler import served_dir, weights_hash
from diffusion.evaluate.percentile import percentile
from diffusion.infill import Infiller, InfillRequest

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"
METRICS = ("exact", "exact_in_3", "parses", "any_parses")


@as_script
def main() -> None:
    arguments = _arguments()
    check_places(("--out", arguments.out), read=arguments.cases)
    cases = [c for path in arguments.cases for c in read_cases(path, sample=arguments.count)]
    folder = served_dir(arguments.model)
    infiller = Infiller.load(folder, threads=1, device="cpu")
    rows: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for number, case in enumerate(cases):
        for repair in (False, True):
            infiller.contexts.clear()
            rows[repair].append(_filled(infiller, case, repair, arguments.deadline_ms))
        if number % 20 == 19:
            print(f"{number + 1} of {len(cases)}", file=sys.stderr)
    report = {
        "benchmark": "syntax_repair",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": weights_hash(folder),
        "deadline_ms": arguments.deadline_ms,
        "cases": len(cases),
        "without": _totals(rows[False]),
        "with": _totals(rows[True]),
        "gains": {
            g.metric: {"gain": g.gain, "low": g.low, "high": g.high}
            for g in compare(rows[False], rows[True], METRICS)
        },
    }
    for name in ("without", "with"):
        print(name, report[name])
    finish(report, arguments.out)


def _filled(
    infiller: Infiller, case: Case, repair: bool, deadline_ms: float | None
) -> dict[str, Any]:
    prefix = case.prefix.encode()
    request = InfillRequest(
        prefix + case.suffix.encode(), len(prefix), case.language, repair=repair,
        deadline_ms=deadline_ms,
    )  # fmt: skip
    result = infiller.infill(request)
    exact = [c.text.strip() == case.middle.strip() for c in result.candidates]
    parses = [c.parses for c in result.candidates]
    return {
        "task_id": case.task_id,
        "group": case.group,
        "exact": any(exact[:1]),
        "exact_in_3": any(exact),
        "parses": any(parses[:1]),
        "any_parses": any(parses),
        "ms": result.ms,
        "steps": result.steps,
    }


def _totals(rows: list[dict[str, Any]]) -> dict[str, float]:
    found = {name: round(statistics.mean(row[name] for row in rows), 4) for name in METRICS}
    times = [row["ms"] for row in rows]
    return {
        **found,
        "steps_mean": round(statistics.mean(row["steps"] for row in rows), 2),
        "ms_p50": round(statistics.median(times), 1),
        "ms_p95": round(percentile(times, 95), 1),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, nargs="+", default=[OWN_CASES], metavar="FILE")
    parser.add_argument("--count", type=int, default=24, metavar="N", help="cases of each file")
    parser.add_argument("--deadline-ms", type=float, metavar="MS")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
