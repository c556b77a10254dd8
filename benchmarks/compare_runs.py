"""Is one run better than another? Paired differences case by case, with bootstrap intervals.

Takes two result files of `diffill eval --out` or `infill_quality.py --rows` over the same cases;
those of one run only are left out, and counted. The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from diffusion.evaluate.benchmark import as_script, finish
from diffusion.evaluate.compare import compare, table, unmatched
from diffusion.evaluate.results import read_rows


@as_script
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD.jsonl")
    parser.add_argument("new", type=Path, metavar="NEW.jsonl")
    arguments = parser.parse_args()
    old, new = read_rows(arguments.old), read_rows(arguments.new)
    gains = compare(old, new)
    only_old, only_new = unmatched(old, new)
    print(table(gains))
    if only_old or only_new:
        print(
            f"left out: {only_old} of {len(old)} cases of {arguments.old} and {only_new} of "
            f"{len(new)} of {arguments.new}, which the other run does not have\n"
        )
    report = {
        "benchmark": "compare_runs",
        "cases": len(new) - only_new,
        "only_old": only_old,
        "only_new": only_new,
        "gains": [asdict(gain) for gain in gains],
    }
    finish(report, None)


if __name__ == "__main__":
    main()
