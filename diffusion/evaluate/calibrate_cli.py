"""`diffill calibrate`: fit the order and the scores of a model's candidates.

Invariants: only validation text of a corpus is looked at; the model folder gets `ranking.json`
(and its manifest a record of it) only when the fit is done; stdout ends with one line of JSON.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

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
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="processes")] = 1,
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
    """Fill holes of validation text, learn which candidates are right, and store it in the model.

    Run it once for every new model. It needs two to ten minutes for a nano model.
    """
    from diffusion.evaluate.calibrate import calibrate, store
    from diffusion.evaluate.eval_cli import watched
    from diffusion.evaluate.model_filler import served_dir
    from diffusion.evaluate.results import RowFile
    from diffusion.evaluate.validation_holes import validation_holes
    from diffusion.evaluate.work import Plan, run
    from diffusion.model.manifest import TOKENIZER_FILE
    from diffusion.text.tokenizer import Tokenizer

    folder = served_dir(model)
    tokenizer = Tokenizer.load(folder / TOKENIZER_FILE)
    cases = validation_holes(corpus, tokenizer, count)
    plan = Plan(model=folder, threads=1, evidence=True)
    found = (row for [row] in run(plan, cases, workers=workers))
    rows = list(watched(found, len(cases)))
    if rows_file is not None:
        with RowFile(rows_file) as file:
            for row in rows:
                file.write(row)
    result = calibrate(rows)
    facts: dict[str, Any] = {
        "cases": result.cases,
        "kept": result.kept,
        "exact_match_by_hand": round(result.by_hand, 4),
        "exact_match_fitted": round(result.fitted, 4),
        "exact_match_best": round(result.best, 4),
        "calibration_error_before": round(result.before.expected_error, 4),
        "calibration_error_after": round(result.after.expected_error, 4),
        "confidence_ranking_before": result.before.ranking,
        "confidence_ranking_after": result.after.ranking,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }
    if plot is not None:
        from diffusion.evaluate.report_svg import reliability_plot

        curves = {"before": result.before, "after": result.after}
        plot.write_text(reliability_plot(curves, standalone=True), encoding="utf-8")
    if not dry_run:
        store(folder, replace(result.ranking, facts=facts))
        typer.echo(f"stored in {folder}", err=True)
    print(json.dumps(facts))
