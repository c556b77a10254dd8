"""`diffill eval`: measure infilling on a file of cases.

Invariants: stdout ends with one line of JSON, the totals (keys are only ever added); the
progress bar and every message go to stderr; `--out` is replaced only by a complete run, and no file
takes the place of another. A case that fails is a row with `error`, not the end of the run; only if
every case failed is the exit status 1. SIGTERM leaves what Ctrl-C does: the rows so far, and no
worker. torch is loaded after the case file has been checked.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from diffusion.evaluate.cases import duplicate_ids, file_name, read_cases
from diffusion.evaluate.infill_eval import parse_length, totals
from diffusion.evaluate.results import RowFile, check_apart, check_file, partial_of
from diffusion.evaluate.work import Plan, Work, load_filler, run
from diffusion.train.signals import ended_by_sigterm

if TYPE_CHECKING:
    from diffusion.evaluate.executor import PythonExecutor

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def eval_cases(
    cases_file: Annotated[
        Path, typer.Argument(metavar="CASES.jsonl[.gz]", help="one case per line")
    ],
    out: Annotated[Path, typer.Option(metavar="OUT.jsonl", help="one result per line")],
    length: Annotated[
        str,
        typer.Option(
            metavar="predicted|oracle|N",
            help="how many slots a hole gets: by the syntax, as many as the true text takes, or N",
        ),
    ] = "predicted",
    limit: Annotated[int | None, typer.Option(metavar="N", help="only the first N cases")] = None,
    sample: Annotated[
        int | None, typer.Option(metavar="N", help="a random subset of N, always the same")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="processor threads for the model")
    ] = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="where the model runs: cpu, cuda, mps or auto")
    ] = "cpu",
    execute: Annotated[
        bool,
        typer.Option(
            "--execute",
            help="also run the completed programs against their tests (Python; adds pass_at_1)",
        ),
    ] = False,
    timeout: Annotated[
        int,
        typer.Option(metavar="S", min=1, help="processor seconds for a program with --execute"),
    ] = 3,
    workers: Annotated[
        int, typer.Option(metavar="N", min=1, help="processes, each with a model of its own")
    ] = 1,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="also write one page with plots")
    ] = None,
) -> None:
    """Fill the hole of every case, score the completions, and print the totals.

    A case is {task_id, language, prefix, middle, suffix}; a result is {task_id, completion,
    tokens, steps, ms, confidence, parses} and the scores. The last line on stdout is one JSON
    document: exact_match, edit_similarity, parses, empty, repetition, ms_p50, ms_p95, cases
    and more; benchmarks/README.md says how each is defined.
    """
    mode = parse_length(length)
    check_apart(
        [("--out", out), ("--out", partial_of(out)), ("--report", report)], [cases_file]
    )
    cases = read_cases(cases_file, limit=limit, sample=sample)
    if report is not None:
        check_file(report, "--report")
    if repeated := duplicate_ids(cases):
        typer.echo(f"note: {repeated} cases repeat the task id of an earlier one", err=True)
    plan = Plan(
        lengths=(mode,), model=model, threads=threads, device=device, execute=execute,
        cpu_s=timeout,
    )  # fmt: skip
    executor = told_executor(timeout) if execute else None
    work = None
    if workers == 1:
        work = Work(plan, filler=load_filler(plan), executor=executor)
    model_hash = _model_hash(model)
    rows: list[dict[str, Any]] = []
    file = RowFile(out)
    filled = run(plan, cases, workers=workers, work=work)
    try:
        with ended_by_sigterm(), closing(filled), file:
            for row in watched((row for [row] in filled), len(cases)):
                file.write(row)
                rows.append(row)
    except (KeyboardInterrupt, SystemExit) as stop:
        typer.echo(f"stopped after {len(rows)} cases; they are in {file.partial}", err=True)
        number = signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM
        raise typer.Exit(128 + number) from None
    summary = totals(rows) | {
        "length": mode, "model_hash": model_hash, "device": device,
    }  # fmt: skip
    if executor is not None:
        summary["layers"] = list(executor.layers)
    print(json.dumps(summary))  # before what may still fail
    if report is not None:
        from diffusion.evaluate.report import Run, write_report

        name = file_name(cases_file)
        write_report(report, [Run("diffill", name, mode, rows)], {name: cases}, model_hash)
        typer.echo(f"report: {report}", err=True)
    if summary["errors"]:
        first = next(row for row in rows if "error" in row)
        typer.echo(
            f"{summary['errors']} of {len(rows)} cases failed, the first ({first['task_id']}) "
            f"with {first['error']}",
            err=True,
        )
        if summary["errors"] == len(rows):
            raise typer.Exit(1)


def watched(rows: Iterable[dict[str, Any]], n_cases: int) -> Iterator[dict[str, Any]]:
    """Pass rows on while a bar on stderr shows how many there are and how good."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("exact {task.fields[exact]:.3f}"),
        TimeRemainingColumn(),
    )
    hits = 0
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=n_cases, exact=0.0)
        for done, row in enumerate(rows, start=1):
            hits += row["exact_match"]
            progress.update(task, advance=1, exact=hits / done)
            yield row


def _model_hash(model: Path | None) -> str | None:
    from diffusion.evaluate.model_filler import served_dir, weights_hash

    return weights_hash(served_dir(model))


def told_executor(cpu_s: int = 3) -> PythonExecutor:
    """What runs programs, here as in every worker; what they run under is told on stderr."""
    from diffusion.evaluate.executor import PythonExecutor

    executor = PythonExecutor(cpu_s=cpu_s)
    typer.echo(f"programs run under: {', '.join(executor.layers)}", err=True)
    return executor


if __name__ == "__main__":
    app()
