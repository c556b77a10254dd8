"""`diffill train report`: one HTML page about a run, made of what the run left in its folder.

Loss curves, exact match by kind of hole, fills side by side, and what was left out. The page holds
source text of the repository, loads nothing, and is written where the user says.

Invariant: whatever text comes in is escaped.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from diffusion.errors import TrainingError
from diffusion.evaluate.report_svg import bars_plot, curves_plot
from diffusion.train.run_log import LOG, read_events
from diffusion.train.tune_screen import rate_line

PLAN_FILE, SAMPLES_FILE = "plan.json", "samples.json"
_MOST_SAMPLES = 60
_STYLE = """
:root { --ink: #222; --faint: #bbb; --page: #fff; --c0: #1f6f8b; --c1: #d1793f; --c2: #5b8c3e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --faint: #555; --page: #181818; --c0: #6cc0dc; --c1: #f0a46f }
}
body { font: 15px/1.5 sans-serif; color: var(--ink); background: var(--page);
       max-width: 60em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse } td, th { padding: .2em .8em; text-align: left;
       border-bottom: 1px solid var(--faint); vertical-align: top }
pre { margin: 0; white-space: pre-wrap; font-size: 13px } .right { color: var(--c2) }
"""


def write_report(run: Path, page: Path) -> None:
    """Write the page. Raises TrainingError where there is no run, or the page cannot be written."""
    try:
        events = read_events(run / LOG)
        plan = json.loads((run / PLAN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TrainingError(
            "there is no run to report on", fix="start one with `diffill train`"
        ) from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise TrainingError(
            f"what the run has left cannot be read ({why})",
            fix="start another one with `diffill train --fresh`",
        ) from error
    try:
        samples = json.loads((run / SAMPLES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        samples = []  # it was not measured yet
    try:
        page.write_text(_page(events, plan, samples), encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"{page} could not be written ({error.strerror})", fix="name another file with --out"
        ) from error


def _page(
    events: list[dict[str, Any]], plan: Mapping[str, Any], samples: list[dict[str, Any]]
) -> str:
    ended = _ended(events)
    name = escape(str(ended.get("adapter") or "no adapter"))
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>Tuning: {name}</title><style>{_STYLE}</style><h1>Tuning: {name}</h1>",
        *_result(ended), *_rate(events),
        "<h2>Loss</h2>", curves_plot(_curves(events), "step", "loss (nats a token)"),
    ]  # fmt: skip
    if samples:
        parts += ["<h2>Exact match by kind of hole</h2>", bars_plot(_by_kind(samples), "exact")]
    parts += ["<h2>What was learned from</h2>", *_plan(plan)]
    if samples:
        parts += ["<h2>Held-out holes, before and after</h2>", *_samples(samples)]
    return "\n".join(parts) + "</html>\n"


def _ended(events: list[dict[str, Any]]) -> dict[str, Any]:
    """How the run ended, or its last start; nothing while it goes on."""
    for kinds in (("done",), ("failed", "stopped", "resumed")):
        for event in reversed(events):
            if event["event"] in kinds:
                return {} if event["event"] == "resumed" else event
    return {}


def _result(ended: Mapping[str, Any]) -> Iterator[str]:
    if ended.get("message"):
        kind = "" if ended["event"] == "done" else f"{ended['event']}: "
        yield f"<p>{escape(kind + str(ended['message']))}</p>"
    elif not ended:
        yield "<p>The run is not over.</p>"
    figures = ended.get("figures")
    if not figures:
        return
    yield "<table><tr><th></th><th>before</th><th>after</th><th>holes</th></tr>"
    for key, title in (("held_out", "held-out files"), ("general", "general code")):
        part = figures[key]
        if part.get("cases"):
            before, after = (100 * part[f"exact_match_{when}"] for when in ("before", "after"))
            yield (
                f"<tr><td>exact match, {title}</td><td>{before:.1f} %</td>"
                f"<td>{after:.1f} %</td><td>{part['cases']}</td></tr>"
            )
    yield "</table>"
    yield f"<p>{figures['minutes']} minutes, {figures['steps']} steps.</p>"


def _rate(events: list[dict[str, Any]]) -> Iterator[str]:
    chosen = next((e for e in reversed(events) if e["event"] == "rate"), None)
    if chosen is None:
        return
    yield f"<p>{escape(rate_line(chosen['rate'], str(chosen['why'])))}.</p>"
    if chosen["losses"]:
        yield "<table><tr><th>rate tried</th><th>loss on training files set aside</th></tr>"
        for rate, loss in chosen["losses"].items():
            shown = "no number" if loss is None else f"{loss:.4f}"
            yield f"<tr><td>{'none yet' if rate == '0' else escape(rate)}</td><td>{shown}</td></tr>"
        yield "</table>"


def _curves(events: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    def points(kind: str) -> list[tuple[float, float]]:
        return [
            (float(e["step"]), float(e["loss"]))
            for e in events
            if e["event"] == kind and e.get("loss") is not None
        ]

    return {"held-out files": points("validation"), "training": points("train")}


def _by_kind(samples: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for sample in samples:
        found[str(sample["hole"])].append(sample)
    return {
        f"{kind} ({len(group)})": {
            when: sum(float(s[f"right_{when}"]) for s in group) / len(group)
            for when in ("before", "after")
        }
        for kind, group in sorted(found.items())
    }


def _plan(plan: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"<p>{plan['files']} files with {plan['tokens']} tokens; {plan['held_out_files']} files "
        f"with {plan['held_out_tokens']} tokens were held out.</p>"
    )
    yield "<table><tr><th>left out because</th><th>files</th></tr>"
    for reason, count in plan["excluded"].items():
        yield f"<tr><td>{escape(str(reason))}</td><td>{count}</td></tr>"
    yield "</table>"


def _samples(samples: list[dict[str, Any]]) -> Iterator[str]:
    changed = sorted(samples, key=lambda s: s["right_before"] == s["right_after"])
    yield "<table><tr><th>around</th><th>true</th><th>before</th><th>after</th></tr>"
    for sample in changed[:_MOST_SAMPLES]:
        cells = [f"<td><pre>{escape(sample['prefix'][-80:])}▮{escape(sample['suffix'][:40])}</pre>"]
        cells.append(f"<td><pre>{escape(sample['middle'])}</pre>")
        for when in ("before", "after"):
            mark = " class='right'" if sample[f"right_{when}"] else ""
            cells.append(f"<td><pre{mark}>{escape(sample[when])}</pre>")
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</table>"
