"""How good are the completions, and how much better than copying from the same file?

Runs fillers (the bundled model, copy-nearest-line, n-grams) over case files at several lengths,
prints a table and paired gains with bootstrap intervals: the model over each baseline, and its
lengths against the oracle. `--report` writes one HTML page with plots and sample fills, `--rows`
the single results (for compare_runs.py) as soon as a filler is done. The last line on stdout is one
JSON document; `--out` saves it. Without arguments: the cases made from this project's own examples.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffusion.evaluate.benchmark import as_script, check_places, finish, row_file, row_places
from diffusion.evaluate.cases import Case, file_name, read_case_files, split_name, to_text
from diffusion.evaluate.eval_cli import told_executor, watched
from diffusion.evaluate.infill_eval import Fill, Filler, Length, parse_length
from diffusion.evaluate.machine import describe
from diffusion.evaluate.report import Run, gains, summary, write_report
from diffusion.evaluate.results import RowFile
from diffusion.evaluate.work import FILLERS, MODEL_FILLERS, Plan, Work, run

OWN_CASES = Path(__file__).parent / "cases" / "examples.jsonl"
COLUMNS = (
    "exact_match", "exact_in_3", "pass_at_1", "edit_similarity", "parses", "empty", "repetition",
    "suffix_echo", "calibration_error", "steps_mean", "ms_p50", "ms_p95",
)  # fmt: skip
NGRAM_CORPUS_ORDER = 4


@as_script
def main() -> None:
    arguments = _arguments()
    began = time.monotonic()
    plans = _plans(arguments)
    _check_places(arguments, plans)
    files = read_case_files(arguments.cases, limit=arguments.limit, sample=arguments.sample)
    executor = told_executor() if arguments.execute else None
    runs: list[Run] = []
    for plan in plans:
        made = _runs(plan, files, arguments)
        if arguments.rows is not None:
            _write_rows(arguments.rows, made)
        runs += made
    report = summaries(arguments, runs) | {"wall_s": round(time.monotonic() - began, 1)}
    if executor is not None:
        report["layers"] = list(executor.layers)
    print(table(report))
    finish(report, arguments.out)
    if arguments.report is not None:
        write_report(arguments.report, runs, files, report["model_hash"])


def _plans(arguments: argparse.Namespace) -> list[Plan]:
    """A plan for every filler; one that is unknown is told before any has run."""
    return [
        Plan(
            filler=name,
            lengths=tuple(parse_length(length) for length in arguments.lengths.split(",")),
            model=arguments.model,
            threads=arguments.threads or (1 if arguments.workers > 1 else None),
            execute=arguments.execute,
            context_tokens=arguments.context_tokens,
            device=arguments.device,
        )
        for name in arguments.fillers.split(",")
    ]


def _check_places(arguments: argparse.Namespace, plans: list[Plan]) -> None:
    paths = [split_name(named)[0] for named in arguments.cases]
    fillers, lengths = [plan.filler for plan in plans], plans[0].lengths
    check_places(
        ("--out", arguments.out),
        ("--report", arguments.report),
        *row_places(arguments.rows, map(file_name, paths), fillers, lengths),
        read=paths,
    )


def _write_rows(folder: Path, runs: list[Run]) -> None:
    for one in runs:
        with RowFile(row_file(folder, one.file, one.filler, one.length)) as file:
            for row in one.rows:
                file.write(row)


def summaries(arguments: argparse.Namespace, runs: list[Run]) -> dict[str, Any]:
    """What the document says of the runs."""
    return {
        "benchmark": "infill_quality",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": describe(),
        "model_hash": _model_hash(arguments),
        "device": arguments.device,
        "workers": arguments.workers,
        "runs": [summary(one) for one in runs],
        "gains": [
            {
                "file": one.file, "run": one.name, "over": other.name, "metric": gain.metric,
                "gain": gain.gain, "low": gain.low, "high": gain.high, "groups": gain.groups,
            }
            for other, one, found in gains(runs)
            for gain in found
        ],
    }  # fmt: skip


def table(report: dict[str, Any]) -> str:
    """The runs as a Markdown table."""
    columns = [c for c in COLUMNS if any(one.get(c) is not None for one in report["runs"])]
    lines = [
        " | ".join(["| file", "cases", "filler", "length", *columns]) + " |",
        "|---" * (4 + len(columns)) + "|",
    ]
    for one in report["runs"]:
        cells = [one["file"], one["cases"], one["filler"], one["length"]]
        cells += [_cell(column, one.get(column)) for column in columns]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _cell(column: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if column.startswith(("ms", "steps")) else f"{value:.3f}"


@dataclass(frozen=True, slots=True)
class ByLanguage:
    """A filler for each language."""

    name: str
    fillers: Mapping[str, Filler]

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        return self.fillers[case.language].prepare(case, length)


def _runs(plan: Plan, files: dict[str, list[Case]], arguments: argparse.Namespace) -> list[Run]:
    """One filler over all files, by one pool of workers: a model is loaded once in each."""
    name = plan.filler
    print(f"{name} on {', '.join(files)}", file=sys.stderr)
    every = [case for cases in files.values() for case in cases]
    work = None
    if name == "ngram" and arguments.corpus is not None:
        languages = sorted({case.language for case in every})
        filler = ByLanguage(name, {one: _ngram(arguments, one) for one in languages})
        work = Work(plan, filler=filler)
    with closing(run(plan, every, workers=arguments.workers, work=work)) as filled:
        found = list(_watched(filled, len(every)))
    runs = []
    for file, cases in files.items():
        mine, found = found[: len(cases)], found[len(cases) :]
        for i, length in enumerate(plan.lengths):
            runs.append(Run(name, file, length, [rows[i] for rows in mine]))
    return runs


def _watched(found: Any, count: int) -> Any:
    """Show progress by the first length of each case."""
    kept: list[list[dict[str, Any]]] = []

    def firsts() -> Any:
        for rows in found:
            kept.append(rows)
            yield rows[0]

    for _ in watched(firsts(), count):
        yield kept.pop()


def _ngram(arguments: argparse.Namespace, language: str) -> Filler:
    """n-grams with counts over some documents of a corpus."""
    from diffusion.data.shards import ShardSet
    from diffusion.evaluate.baselines import Ngram, NgramTable
    from diffusion.text.tokenizer import Tokenizer

    shards = ShardSet.open(arguments.corpus, "train")
    if language not in shards.languages:
        return Ngram()
    tokenizer = Tokenizer.load(arguments.tokenizer)
    documents = range(min(arguments.documents, len(shards[language])))
    texts = (to_text(tokenizer.decode(shards.document(language, i).tolist())) for i in documents)
    return Ngram(background=NgramTable.trained(texts, NGRAM_CORPUS_ORDER))


def _model_hash(arguments: argparse.Namespace) -> str | None:
    if not set(MODEL_FILLERS) & set(arguments.fillers.split(",")):
        return None
    from diffusion.evaluate.model_filler import served_dir, weights_hash

    return weights_hash(served_dir(arguments.model))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cases", nargs="+", default=[str(OWN_CASES)], metavar="FILE[:N]",
        help="case files; with :N a fixed random N of them",
    )  # fmt: skip
    parser.add_argument(
        "--fillers", default="diffill,copy,ngram", metavar="NAME,...",
        help=f"some of {', '.join(FILLERS)}",
    )  # fmt: skip
    parser.add_argument("--lengths", default="predicted,oracle,64", metavar="LENGTH,...")
    parser.add_argument("--limit", type=int, metavar="N", help="the first N cases of each file")
    parser.add_argument("--sample", type=int, metavar="N", help="a fixed random N of each file")
    parser.add_argument("--execute", action="store_true", help="run Python cases that have tests")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--model", type=Path, metavar="DIR")
    parser.add_argument("--threads", type=int, metavar="N", help="for the model, in each worker")
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda, mps or auto")
    parser.add_argument("--context-tokens", type=int, metavar="N", help="in place of serving's")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="shards for the n-grams")
    parser.add_argument("--tokenizer", type=Path, metavar="FILE", help="the shards' tokenizer")
    parser.add_argument("--documents", type=int, default=300, metavar="N", help="how many of them")
    parser.add_argument("--out", type=Path, metavar="FILE", help="save the JSON document here")
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write one HTML page")
    parser.add_argument("--rows", type=Path, metavar="DIR", help="save the rows of each run here")
    arguments = parser.parse_args()
    if arguments.corpus is not None and arguments.tokenizer is None:
        parser.error("--corpus needs --tokenizer, the tokenizer.json that made the shards")
    return arguments


if __name__ == "__main__":
    main()
