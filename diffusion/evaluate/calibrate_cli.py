"""`diffill calibrate`: fit the weight of copying, then the order and the scores of candidates.

Invariants: only validation text of a corpus is looked at, other documents for each of the two fits
(a half of them each); the second one is made with the first in force, in a copy of the model
folder; the folder itself gets `copying.json` and `ranking.json` (and its manifest a record of each)
when both are done, with the lengths that were tried in the second fit; what cannot be written, or
would take the place of another file, is told before anything is fitted; stdout ends with one line
of JSON. SIGTERM leaves no worker and no copy.
"""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diffusion.errors import ConfigError, EvaluationError
from diffusion.ranking import MOST_QUOTES

if TYPE_CHECKING:
    from diffusion.evaluate.calibrate import Calibration

_COPY_SEED = 1
_COPY_HALF, _RANKING_HALF = 1, 0

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def calibrate_model(
    corpus: Annotated[
        Path, typer.Option(metavar="DIR", help="folder that `diffill corpus build` wrote")
    ],
    model: Annotated[
        Path | None, typer.Option(metavar="DIR", help="a model folder instead of the bundled one")
    ] = None,
    count: Annotated[
        int, typer.Option("--cases", metavar="N", min=20, help="holes to fit to")
    ] = 800,
    copy_cases: Annotated[
        int, typer.Option(metavar="N", min=20, help="holes to fit the weight of copying to")
    ] = 300,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="processes")] = 1,
    quantiles: Annotated[
        str | None,
        typer.Option(
            metavar="Q,...",
            help="lengths to try: shares of the lengths to be covered; by default the model's own",
        ),
    ] = None,
    forks: Annotated[
        int, typer.Option(metavar="N", min=0, help="rows that may be split off each canvas")
    ] = 0,
    quotes: Annotated[
        int, typer.Option(metavar="N", min=0, help="texts of the document to weigh; 0: none")
    ] = MOST_QUOTES,
    votes: Annotated[
        bool, typer.Option("--votes/--no-votes", help="mix the document's votes into completions")
    ] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what it finds, write nothing")] = (
        False
    ),
    rows_file: Annotated[
        Path | None, typer.Option("--rows", metavar="FILE.jsonl", help="keep the candidates here")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="reliability before and after")
    ] = None,
) -> None:
    """Learn from holes of validation text how far to copy and which candidates are right.

    Run it once for every new model. It needs two to ten minutes for a nano model.
    """
    from rich.console import Console
    from rich.progress import track

    from diffusion.evaluate.calibrate import calibrate, store
    from diffusion.evaluate.eval_cli import watched
    from diffusion.evaluate.fit_copying import fit_copying
    from diffusion.evaluate.fit_first_look import fit_first_look
    from diffusion.evaluate.model_filler import served_dir
    from diffusion.evaluate.validation_holes import validation_holes
    from diffusion.evaluate.work import Plan, run
    from diffusion.infill import Infiller
    from diffusion.model.manifest import TOKENIZER_FILE
    from diffusion.text.tokenizer import Tokenizer
    from diffusion.train.signals import ended_by_sigterm

    folder = served_dir(model)
    tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
    asked = None if quantiles is None else _shares(quantiles)
    _check_places(rows_file, plot, None if dry_run else folder)
    infiller = Infiller.load(folder, threads=1, device="cpu")
    shares = asked or infiller.ranking.quantiles
    copied = fit_copying(
        infiller,
        track(
            validation_holes(corpus, tokenizer, copy_cases, seed=_COPY_SEED, half=_COPY_HALF),
            description="copying",
            console=Console(stderr=True),
        ),
    )
    copy_facts = {
        "tokens": copied.tokens,
        "nats_without": round(copied.nats_before, 4),
        "nats_with": round(copied.nats_after, 4),
    }
    copying = replace(copied.weights, facts=copy_facts)
    cases = validation_holes(corpus, tokenizer, count, half=_RANKING_HALF)
    with ended_by_sigterm(), TemporaryDirectory(prefix="diffill-calibrate-") as scratch:
        with_copying = Path(shutil.copytree(folder, Path(scratch) / folder.name))
        store(with_copying, copying=copying)
        plan = Plan(
            model=with_copying, threads=1, evidence=True, quantiles=shares, forks=forks,
            quotes=quotes, votes=votes,
        )  # fmt: skip
        with closing(run(plan, cases, workers=workers)) as filled:
            rows = list(watched((row for [row] in filled), len(cases)))
    try:
        result = calibrate(rows)
    except EvaluationError:
        _keep(rows, rows_file)  # they say why nothing can be fitted
        raise
    looked = fit_first_look(result) if quotes else None
    facts: dict[str, Any] = {
        "copying": copy_facts,
        "cases": result.cases,
        "kept": result.kept,
        "exact_match_by_hand": round(result.by_hand, 4),
        "exact_match_fitted": round(result.fitted, 4),
        "exact_match_best": round(result.best, 4),
        "parses": round(result.parses, 4),
        "calibration_error_before": round(result.before.expected_error, 4),
        "calibration_error_after": round(result.after.expected_error, 4),
        "confidence_ranking_before": result.before.ranking,
        "confidence_ranking_after": result.after.ranking,
        "first_look": None if looked is None else {
            "answered": round(looked.answered, 4),
            "exact_match": round(looked.exact, 4),
            "exact_match_of_model": round(looked.exact_of_model, 4),
        },
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    if not dry_run:
        ranking = replace(
            result.ranking if looked is None else looked.ranking,
            facts=facts,
            quantiles=shares,
            forks=forks,
            quotes=quotes if result.kept == "fitted" else 0,
            votes=votes,
        )
        store(folder, ranking, copying=copying)
        typer.echo(f"stored in {folder}", err=True)
    print(json.dumps(facts))  # before what may still fail
    _keep(rows, rows_file)
    if plot is not None:
        _draw(plot, result)


def _check_places(rows_file: Path | None, plot: Path | None, folder: Path | None) -> None:
    """Whether all that is to be written can be, each in a place of its own."""
    from diffusion.evaluate.results import check_apart, check_file, check_folder, partial_of

    partial = None if rows_file is None else partial_of(rows_file)
    check_apart([("--rows", rows_file), ("--rows", partial), ("--plot", plot)])
    if rows_file is not None:
        check_file(partial_of(rows_file), "--rows")
    if plot is not None:
        check_file(plot, "--plot")
    if folder is not None:
        check_folder(folder, "--model")


def _keep(rows: list[dict[str, Any]], rows_file: Path | None) -> None:
    from diffusion.evaluate.results import RowFile

    if rows_file is not None:
        with RowFile(rows_file) as file:
            for row in rows:
                file.write(row)


def _draw(plot: Path, result: Calibration) -> None:
    from diffusion.evaluate.report_svg import reliability_plot

    curves = {"before": result.before, "after": result.after}
    try:
        plot.write_text(reliability_plot(curves, standalone=True), encoding="utf-8")
    except OSError as error:
        raise EvaluationError(
            f"cannot write {plot} ({error.strerror})", fix="give another --plot"
        ) from error


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share <= 1 for share in shares):
        raise ConfigError(
            f"--quantiles is {text!r}", fix="give shares from 0 to 1 between commas, as in 0.6,0.9"
        )
    return shares
