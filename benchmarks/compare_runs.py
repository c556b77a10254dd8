"""Is one run better than another? Paired differences case by case, with bootstrap intervals.

Takes two result files of `diffill eval --out` or `infill_quality.py --rows` over the same cases.
The last line on stdout is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from diffusion.errors import DiffillError
from diffusion.evaluate.compare import compare, table
from diffusion.evaluate.results import read_rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, metavar="OLD.jsonl")
    parser.add_argument("new", type=Path, metavar="NEW.jsonl")
    arguments = parser.parse_args()
    try:
        gains = compare(read_rows(arguments.old), read_rows(arguments.new))
    except DiffillError as error:
        sys.exit(f"error: {error}")
    print(table(gains))
    print(json.dumps({"benchmark": "compare_runs", "gains": [asdict(gain) for gain in gains]}))


if __name__ == "__main__":
    main()
