"""Does the model's confidence mean what it says?

Reads result files of `diffill eval --out`, bins the confidence of each completion against its
exact match, and prints the bins, the expected calibration error and how well confidence ranks
(AUROC). The last line on stdout is one JSON document. Without arguments: evaluates the bundled
model on the cases made from this project's own examples first.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diffusion.errors import EvaluationError
from diffusion.evaluate.benchmark import as_script, check_places, finish
from diffusion.evaluate.calibration import Reliability, plot, reliability
from diffusion.evaluate.cases import read_cases
from diffusion.evaluate.eval_cli import watched
from diffusion.evaluate.infill_eval import evaluate
from diffusion.evaluate.results import read_rows

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path, nargs="*", metavar="OUT.jsonl")
    parser.add_argument("--bins", type=_count, default=10, metavar="N")
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    arguments = parser.parse_args()
    read = arguments.results or [OWN_CASES]
    check_places(("--plot", arguments.plot), read=read, what="a file that is read")
    rows = _rows(arguments.results) if arguments.results else _own_rows()
    result = reliability(rows, bins=arguments.bins)
    print(table(result))
    finish({"benchmark": "calibration", **asdict(result)}, None)
    if arguments.plot is not None:
        plot(result, arguments.plot, title=f"{sum(b.count for b in result.bins)} completions")


def table(result: Reliability) -> str:
    """The bins as a Markdown table."""
    lines = ["| confidence | cases | mean confidence | exact match |", "|---|---|---|---|"]
    for b in result.bins:
        lines.append(
            f"| {b.low:.3f} to {b.high:.3f} | {b.count} | {b.confidence:.3f} | "
            f"{b.exact_match:.3f} |"
        )
    return "\n".join(lines) + "\n"


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 up")
    return int(text)


def _rows(paths: Sequence[Path]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in paths:
        rows = read_rows(path)
        if not rows:
            raise EvaluationError(
                f"{path} holds no rows", fix="give a file that `diffill eval --out` wrote"
            )
        found += rows
    return found


def _own_rows() -> list[dict[str, Any]]:
    from diffusion.evaluate.model_filler import load_model

    cases = read_cases(OWN_CASES)
    return list(watched(evaluate(load_model(), cases, "predicted"), len(cases)))


if __name__ == "__main__":
    main()
