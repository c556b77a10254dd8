"""How good are the completions, and how much better than copying from the same file?

Runs fillers (the bundled model, copy-nearest-line, n-grams) over case files at several lengths,
prints a table and, where the model is among them, its paired gain in edit similarity and exact
match over each baseline with a bootstrap interval. The last line on stdout is one JSON
document; `--out` saves it. Without arguments: the cases made from this project's own examples.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.errors import DiffillError
from diffusion.evaluate.baselines import CopyNearestLine, Ngram, NgramTable
from diffusion.evaluate.cases import Case, read_cases, to_text
from diffusion.evaluate.eval_cli import watched
from diffusion.evaluate.infill_eval import (
    Execution,
    Executor,
    Filler,
    Length,
    evaluate,
    parse_length,
    totals,
)
from diffusion.evaluate.machine import describe
from diffusion.evaluate.metrics import bootstrap

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"
COLUMNS = (
    "exact_match", "edit_similarity", "parses", "empty", "repetition", "pass_at_1",
    "ms_p50", "ms_p95",
)  # fmt: skip
BASELINES = ("copy", "ngram")
NGRAM_CORPUS_ORDER = 4


def main() -> None:
    arguments = _arguments()
    try:
        report = run(arguments)
    except DiffillError as error:
        sys.exit(f"error: {error}")
    print(table(report))
    document = json.dumps(report)
    if arguments.out is not None:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    print(document)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every filler over every file at every length."""
    files = {
        path.name.removesuffix(".gz").removesuffix(".jsonl"): read_cases(
            path, limit=arguments.limit, sample=arguments.sample
        )
        for path in arguments.cases
    }
    lengths = [parse_length(name) for name in arguments.lengths.split(",")]
    executor = _RunOnce() if arguments.execute else None
    runs: list[dict[str, Any]] = []
    model_hash = None
    for name in arguments.fillers.split(","):
        filler: Filler | None = None
        for file, cases in files.items():
            if filler is None or name == "ngram":  # n-grams may have a table per language
                filler = _filler(name, arguments, cases[0].language)
            model_hash = getattr(filler, "model_hash", None) or model_hash
            for length in lengths:
                runs.append(_measure(filler, file, cases, length, executor))
    return {
        "benchmark": "infill_quality",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": model_hash,
        "executed_under": list(executor.layers) if executor is not None else [],
        "runs": [{k: v for k, v in run.items() if k != "rows"} for run in runs],
        "gains": gains(runs),
    }


def gains(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The model's paired gain over each baseline: mean difference with a 95 % interval."""
    found = []
    by_key = {(run["filler"], run["file"], run["length"]): run["rows"] for run in runs}
    for (filler, file, length), rows in by_key.items():
        if filler in BASELINES:
            continue
        for baseline in BASELINES:
            other = by_key.get((baseline, file, length))
            if other is None:
                continue
            for metric in ("exact_match", "edit_similarity"):
                pairs = zip(rows, other, strict=True)
                interval = bootstrap([float(a[metric]) - float(b[metric]) for a, b in pairs])
                found.append(
                    {
                        "file": file,
                        "length": length,
                        "over": baseline,
                        "metric": metric,
                        "gain": round(interval.mean, 4),
                        "low": round(interval.low, 4),
                        "high": round(interval.high, 4),
                    }
                )
    return found


def table(report: dict[str, Any]) -> str:
    """The runs as a Markdown table."""
    columns = [c for c in COLUMNS if any(run.get(c) is not None for run in report["runs"])]
    lines = [
        " | ".join(["| file", "cases", "filler", "length", *columns]) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for run in report["runs"]:
        cells = [run["file"], run["cases"], run["filler"], run["length"]]
        cells += [_cell(column, run.get(column)) for column in columns]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if column.startswith("ms") else f"{value:.3f}"


def _measure(
    filler: Filler, file: str, cases: list[Case], length: Length, executor: Executor | None
) -> dict[str, Any]:
    print(f"{filler.name} on {file}, length {length}", file=sys.stderr)
    rows = list(watched(evaluate(filler, cases, length, executor=executor), len(cases)))
    return {
        "filler": filler.name,
        "file": file,
        "length": length,
        **totals(rows),
        "exact_match_interval": _interval(rows, "exact_match"),
        "edit_similarity_interval": _interval(rows, "edit_similarity"),
        "rows": rows,
    }


def _interval(rows: list[dict[str, Any]], metric: str) -> list[float]:
    interval = bootstrap([float(row[metric]) for row in rows])
    return [round(interval.low, 4), round(interval.high, 4)]


def _filler(name: str, arguments: argparse.Namespace, language: str) -> Filler:
    if name == "copy":
        return CopyNearestLine()
    if name == "ngram":
        return Ngram(background=_background(arguments, language))
    if name == "diffill":
        from diffusion.evaluate.model_filler import load_model

        return load_model(arguments.model, threads=arguments.threads)
    raise DiffillError(f"filler '{name}' is unknown", fix="name diffill, copy or ngram")


def _background(arguments: argparse.Namespace, language: str) -> NgramTable | None:
    """n-gram counts over some documents of a corpus, where one is given."""
    if arguments.corpus is None:
        return None
    from diffusion.data.shards import ShardSet
    from diffusion.text.tokenizer import Tokenizer

    shards = ShardSet.open(arguments.corpus, "train")
    if language not in shards.languages:
        return None
    tokenizer = Tokenizer.load(arguments.tokenizer)
    documents = range(min(arguments.documents, len(shards[language])))
    texts = (to_text(tokenizer.decode(shards.document(language, i).tolist())) for i in documents)
    return NgramTable.trained(texts, NGRAM_CORPUS_ORDER)


class _RunOnce:
    """Executes the same completion of the same case once, however many lengths led to it."""

    def __init__(self) -> None:
        from diffusion.evaluate.executor import PythonExecutor

        self._executor = PythonExecutor()
        self._known: dict[tuple[Case, str], Execution | None] = {}
        self.layers = self._executor.layers

    def execute(self, case: Case, completion: str) -> Execution | None:
        key = (case, completion)
        if key not in self._known:
            self._known[key] = self._executor.execute(case, completion)
        return self._known[key]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, nargs="+", default=[OWN_CASES], metavar="FILE")
    parser.add_argument("--fillers", default="diffill,copy,ngram", metavar="NAME,...")
    parser.add_argument("--lengths", default="predicted,oracle,64", metavar="LENGTH,...")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N cases of each file")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed random N of each file")
    parser.add_argument("--execute", action="store_true", help="run Python cases that have tests")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="shards for the n-grams")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="the shards' tokenizer")
    parser.add_argument("--documents", type=int, default=300, metavar="N", help="how many of them")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    arguments = parser.parse_args()
    if arguments.corpus is not None and arguments.tokenizer is None:
        parser.error("--corpus needs --tokenizer, the tokenizer.json that made the shards")
    return arguments


if __name__ == "__main__":
    main()
