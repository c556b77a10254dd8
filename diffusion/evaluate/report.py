"""One self-contained HTML page about some runs: tables, plots, samples. No network, no scripts.

`Run` is one filler on one file at one length. The page compares the runs of each file side by
side, the model with the baselines and its lengths with each other by paired bootstrap intervals,
and shows calibration, latency and fills. Invariants: every text from a case or a model is escaped;
the page names the machine, the date and the weights.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from diffusion.errors import EvaluationError
from diffusion.evaluate.calibration import Reliability, reliability
from diffusion.evaluate.cases import Case
from diffusion.evaluate.compare import Gain, compare
from diffusion.evaluate.groups import groups_of
from diffusion.evaluate.infill_eval import Length, totals
from diffusion.evaluate.machine import describe
from diffusion.evaluate.metrics import bootstrap
from diffusion.evaluate.pieces import pieces
from diffusion.evaluate.report_samples import sample_section
from diffusion.evaluate.report_svg import bars_plot, curves_plot, reliability_plot
from diffusion.evaluate.work import BASELINES

Row = dict[str, Any]
_SHOWN = (
    ("exact_match", "exact"), ("exact_in_3", "in first 3"), ("pass_at_1", "pass@1"),
    ("edit_similarity", "similarity"), ("parses", "parses"), ("empty", "empty"),
    ("repetition", "loops"), ("suffix_echo", "echoes"), ("steps_mean", "steps"),
    ("ms_p50", "ms p50"), ("ms_p95", "ms p95"),
)  # fmt: skip
_LENGTH_BINS = (1, 3, 6, 10, 16, 26, 41, 10_000)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one filler over one file at one length, in the order of the cases."""

    filler: str
    file: str
    length: Length
    rows: list[Row]

    @property
    def name(self) -> str:
        """What tells it from the other runs of its file."""
        return f"{self.filler}, {self.length}"


def summary(run: Run) -> dict[str, Any]:
    """The totals of a run with 95 % intervals, and its calibration where it has confidences."""
    found: dict[str, Any] = {"filler": run.filler, "file": run.file, "length": run.length}
    found |= totals(run.rows)
    groups = groups_of(run.rows)
    found["groups"] = len(set(groups))
    for key, name in (
        ("exact_match", "exact_match"), ("edit_similarity", "edit_similarity"),
        ("passed", "pass_at_1"),
    ):  # fmt: skip
        known = [n for n, row in enumerate(run.rows) if row.get(key) is not None]
        if known:
            values = [float(run.rows[n][key]) for n in known]
            interval = bootstrap(values, [groups[n] for n in known])
            found[f"{name}_interval"] = [round(interval.low, 4), round(interval.high, 4)]
    curve = _calibration(run)
    if curve is not None:
        found["calibration_error"] = round(curve.expected_error, 4)
        found["confidence_ranking"] = None if curve.ranking is None else round(curve.ranking, 4)
    return found


def gains(runs: Sequence[Run]) -> list[tuple[Run, Run, list[Gain]]]:
    """The model against each baseline at the same length, and oracle against other lengths."""
    found = []
    for run in runs:
        if run.filler in BASELINES:
            continue
        for other in runs:
            if other.file != run.file or other is run:
                continue
            over_baseline = other.filler in BASELINES and other.length == run.length
            under_oracle = other.filler == run.filler and other.length == "oracle"
            if over_baseline or under_oracle:
                chosen = ("exact_match", "edit_similarity", "passed")
                found.append((other, run, compare(other.rows, run.rows, chosen)))
    return found


def write_report(
    path: Path,
    runs: Sequence[Run],
    cases: Mapping[str, Sequence[Case]],
    model_hash: str | None,
) -> None:
    """Write the page. `cases[file]` are the cases that the runs of a file went through.

    Raises:
        EvaluationError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(runs, cases, model_hash), encoding="utf-8", errors="replace")
    except OSError as error:
        raise EvaluationError(
            f"cannot write {path} ({error.strerror})", fix="give another --report"
        ) from error


def page(runs: Sequence[Run], cases: Mapping[str, Sequence[Case]], model_hash: str | None) -> str:
    """The page as text."""
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    body = [
        "<h1>Infilling quality</h1>",
        f"<p>{date}. Measured on {html.escape(describe())}. Weights {model_hash or 'unknown'}. "
        "Lengths: <i>predicted</i> is what a user gets, <i>oracle</i> is told how many slots the "
        "reference takes, a number is a fixed canvas. Brackets hold 95 % bootstrap intervals, "
        "drawn over problems or files where several cases come from one.</p>",
        _overview([summary(run) for run in runs]),
        "<h2>Paired gains</h2>",
        _gain_table(runs),
    ]
    for file, its_cases in cases.items():
        its_runs = [run for run in runs if run.file == file]
        body.append(f"<h2>{html.escape(file)}</h2>")
        body.append('<div class="plots">' + "".join(_plots(its_runs, its_cases)) + "</div>")
    body.append("<h2>Sample fills</h2><p>Shading: the paler, the less probable the token.</p>")
    for file, its_cases in cases.items():
        for run in runs:
            if run.file == file and run.filler not in BASELINES and run.length == _main(runs):
                body.append(
                    f"<details open><summary>{html.escape(f'{file}: {run.name}')}</summary>"
                )
                body.append(sample_section(its_cases, run.rows) + "</details>")
    return _PAGE.replace("BODY", "\n".join(body))


def _main(runs: Sequence[Run]) -> Length:
    """The length whose samples are shown: what a user gets, where it was run."""
    lengths = [run.length for run in runs if run.filler not in BASELINES]
    return "predicted" if "predicted" in lengths or not lengths else lengths[0]


def _overview(found: Sequence[Mapping[str, Any]]) -> str:
    columns = [(key, name) for key, name in _SHOWN if any(s.get(key) is not None for s in found)]
    columns.append(("calibration_error", "ECE"))
    head = "".join(f"<th>{name}</th>" for _, name in columns)
    lines = [f"<table><tr><th>file</th><th>cases</th><th>filler</th><th>length</th>{head}</tr>"]
    for row in found:
        cells = [row["file"], row["cases"], row["filler"], row["length"]]
        cells += [_cell(row, key) for key, _ in columns]
        kind = "baseline" if row["filler"] in BASELINES else "model"
        inner = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        lines.append(f'<tr class="{kind}">{inner}</tr>')
    return "\n".join(lines) + "</table>"


def _cell(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    said = f"{value:.1f}" if key.startswith(("ms", "steps")) else f"{value:.3f}"
    bounds = row.get(f"{key}_interval")
    return said if bounds is None else f"{said} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _gain_table(runs: Sequence[Run]) -> str:
    lines = [
        "<table><tr><th>file</th><th>run</th><th>against</th><th>metric</th><th>gain</th>"
        "<th>95 % interval</th></tr>"
    ]
    for other, run, found in gains(runs):
        for gain in found:
            mark = "" if gain.certain else ' class="unsure"'
            lines.append(
                f"<tr{mark}><td>{html.escape(run.file)}</td><td>{html.escape(run.name)}</td>"
                f"<td>{html.escape(other.name)}</td><td>{gain.metric}</td>"
                f"<td>{gain.gain:+.3f}</td><td>{gain.low:+.3f} to {gain.high:+.3f}</td></tr>"
            )
    return "\n".join(lines) + "</table>"


def _plots(runs: Sequence[Run], cases: Sequence[Case]) -> list[str]:
    figures = []
    models = [run for run in runs if run.filler not in BASELINES]
    for key, title in (("language", "language"), ("hole", "kind of hole")):
        groups = _split(runs, key)
        if len(groups) > 1:
            figures.append(
                _figure(f"Exact match by {title}", bars_plot(groups, "share exactly right"))
            )
    by_length = {run.name: _by_reference_length(run, cases) for run in runs}
    figures.append(
        _figure(
            "Exact match by length of the reference",
            curves_plot(by_length, "words, numbers and marks in the reference", "exact"),
        )
    )
    curves = {run.name: curve for run in models if (curve := _calibration(run)) is not None}
    if curves:
        said = "; ".join(f"{name}: ECE {c.expected_error:.3f}" for name, c in curves.items())
        figures.append(_figure(f"Calibration ({said})", reliability_plot(curves)))
    if models:
        figures.append(
            _figure(
                "Latency: share of the cases within so many ms",
                curves_plot({r.name: _cumulated(r, "ms") for r in models}, "ms", "share"),
            )
        )
        figures.append(
            _figure(
                "Denoising steps: share of the cases within so many",
                curves_plot({r.name: _cumulated(r, "steps") for r in models}, "steps", "share"),
            )
        )
    return figures


def _figure(title: str, drawing: str) -> str:
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}</figure>"


def _split(runs: Sequence[Run], key: str) -> dict[str, dict[str, float]]:
    groups: dict[str, dict[str, float]] = {}
    for run in runs:
        for kind in sorted({row[key] for row in run.rows if key in row}):
            hits = [float(row["exact_match"]) for row in run.rows if row.get(key) == kind]
            groups.setdefault(f"{kind} ({len(hits)})", {})[run.name] = sum(hits) / len(hits)
    return groups


def _by_reference_length(run: Run, cases: Sequence[Case]) -> list[tuple[float, float]]:
    lengths = [len(pieces(case.middle.strip())) for case in cases]
    points = []
    for low, high in itertools.pairwise(_LENGTH_BINS):
        inside = [i for i, n in enumerate(lengths) if low <= n < high]
        if inside:
            hits = [float(run.rows[i]["exact_match"]) for i in inside]
            points.append((sum(lengths[i] for i in inside) / len(inside), sum(hits) / len(hits)))
    return points


def _calibration(run: Run) -> Reliability | None:
    if any(row.get("confidence") is not None for row in run.rows) and run.filler not in BASELINES:
        return reliability(run.rows)
    return None


def _cumulated(run: Run, key: str) -> list[tuple[float, float]]:
    values = [float(row[key]) for row in run.rows if "error" not in row]
    if not values:
        return []
    shares = [i / 50 for i in range(51)]
    return [(float(np.quantile(values, share)), share) for share in shares]


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Infilling quality</title>
<style>
:root { --ink:#222; --faint:#bbb; --paper:#fff; --soft:#f4f4f1; --c0:#1f6f8b; --c1:#d1793f;
 --c2:#6a994e; --c3:#7d5ba6; --c4:#b23a48; --c5:#888; }
@media (prefers-color-scheme: dark) { :root { --ink:#ddd; --faint:#555; --paper:#181818;
 --soft:#232323; --c0:#58a9c6; --c1:#e09a68; --c2:#93c178; --c3:#a98bd0; --c4:#d96b78; } }
body { font:14px/1.45 system-ui,sans-serif; color:var(--ink); background:var(--paper);
 max-width:1200px; margin:2em auto; padding:0 1em; }
table { border-collapse:collapse; font-size:12px; } td,th { padding:3px 8px; text-align:left;
 border-bottom:1px solid var(--faint); } tr.baseline,tr.unsure { opacity:.65; }
.plots { display:flex; flex-wrap:wrap; gap:1em; } figure { margin:0; }
figcaption { font-weight:600; font-size:12px; max-width:480px; }
.sample { background:var(--soft); margin:.6em 0; padding:.5em .8em; border-radius:4px; }
.head { font-size:11px; opacity:.7; } pre { margin:.3em 0; white-space:pre-wrap; opacity:.9; }
.fill { outline:1px dashed var(--faint); font-weight:600; }
.fill span { background:color-mix(in srgb, var(--c2) calc(var(--p) * 60%), transparent);
 opacity:calc(.45 + .55 * var(--p)); }
.wanted { font:12px ui-monospace,monospace; white-space:pre-wrap; color:var(--c0); }
.wanted::before { content:"wanted: "; opacity:.7; }
</style></head><body>
BODY
</body></html>
"""
