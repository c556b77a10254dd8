"""The evaluation harness: one filler over one list of cases, scored row by row.

A `Filler` is anything that fills a hole: the bundled model, or a baseline. The harness owns
the clock (so every filler is timed alike, from the closed-up document to the text, nothing
cached from an earlier case), the scoring and the totals. A filler that raises spoils its own
case only: that row carries `error`, counts as an empty completion that is wrong (also where nothing
was to be filled in) and fails its tests, and the run goes on. A wrong completion is data; only a
filler that cannot be loaded stops a run.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from diffusion.cancel import Cancelled
from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.metrics import score

Length = str | int
"""How long a completion may be: "predicted", "oracle", or a fixed number of slots."""

MOST_SLOTS = 128
RATES = (
    "exact_match",
    "exact_match_strict",
    "edit_similarity",
    "parses",
    "empty",
    "repetition",
    "suffix_echo",
)


@dataclass(frozen=True, slots=True)
class Fill:
    """One completion. `tokens` and `steps` are counts in the filler's own units.

    `confidence` is the filler's own estimate, None where it has none. `reason` says why a
    completion is missing. `token_p`: text and probability of every token. `alternatives`: what
    else it would offer, best first. `evidence`: what it knew of each of these, itself first.
    """

    completion: str
    tokens: int = 0
    steps: int = 0
    confidence: float | None = None
    reason: str | None = None
    token_p: tuple[tuple[str, float], ...] = ()
    alternatives: tuple[str, ...] = ()
    evidence: tuple[dict[str, Any], ...] = ()


class Filler(Protocol):
    """Anything that fills holes. `fill` may look at `case.middle` for the oracle length only."""

    @property
    def name(self) -> str: ...

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        """What to call to fill the hole. Only that call is timed: work an editor would not
        have to do, such as counting the slots of the true middle, belongs out here."""
        ...


@dataclass(frozen=True, slots=True)
class Execution:
    """How running one completed program ended."""

    passed: bool
    outcome: str


class Executor(Protocol):
    """Runs a completed case against its tests; None for a case that has none it can run."""

    def execute(self, case: Case, completion: str) -> Execution | None: ...

    def runs(self, case: Case) -> bool:
        """Whether the case has tests that can be run."""
        ...


def parse_length(text: str) -> Length:
    """Read `predicted`, `oracle` or a number of slots from a command line.

    Raises:
        EvaluationError: it is none of these.
    """
    if text in ("predicted", "oracle"):
        return text
    if re.fullmatch("[0-9]{1,9}", text) and 1 <= int(text) <= MOST_SLOTS:
        return int(text)
    raise EvaluationError(
        f"length '{text}' is unknown", fix=f"give predicted, oracle or 1 to {MOST_SLOTS} slots"
    )


def evaluate(filler: Filler, cases: Iterable[Case], length: Length) -> Iterator[dict[str, Any]]:
    """Fill and score case by case; each row is ready for JSON."""
    for case in cases:
        yield evaluate_case(filler, case, length)


def evaluate_case(
    filler: Filler, case: Case, length: Length, *, executor: Executor | None = None
) -> dict[str, Any]:
    """One row: the completion, its cost, its scores, and `error` if the filler raised."""
    error: str | None = None
    began = time.perf_counter()
    try:
        call = filler.prepare(case, length)
        began = time.perf_counter()
        fill = call()
    except (KeyboardInterrupt, Cancelled):
        raise
    except Exception as failure:  # the row records it: one bad case must not end a long run
        fill = Fill("")
        error = f"{type(failure).__name__}: {failure}"
    ms = (time.perf_counter() - began) * 1000.0
    measures = score(case, fill.completion)
    row: dict[str, Any] = {
        "task_id": case.task_id,
        "completion": fill.completion,
        "tokens": fill.tokens,
        "steps": fill.steps,
        "ms": round(ms, 2),
        "confidence": _finite(fill.confidence),
        "parses": measures.parses,
        "exact_match": measures.exact_match and error is None,
        "exact_match_strict": measures.exact_match_strict and error is None,
        "edit_similarity": round(measures.edit_similarity, 4) if error is None else 0.0,
        "empty": measures.empty,
        "repetition": measures.repetition,
        "suffix_echo": measures.suffix_echo,
        "language": case.language,
    }
    if fill.token_p:
        row["token_p"] = [[text, round(p, 4)] for text, p in fill.token_p]
        wanted = case.middle.strip()
        row["exact_in_3"] = any(
            text.strip() == wanted for text in (fill.completion, *fill.alternatives[:2])
        )
    if fill.evidence:
        texts = (fill.completion, *fill.alternatives)
        row["offers"] = [
            {"exact_match": text.strip() == case.middle.strip(), "text": text} | evidence
            for text, evidence in zip(texts, fill.evidence, strict=True)
        ]
    for key, known in (("hole", case.hole), ("group", case.group)):
        if known is not None:
            row[key] = known
    if fill.reason is not None:
        row["reason"] = fill.reason
    if error is not None:
        row["error"] = error
    if executor is not None and case.canonical_ok:
        execution = _executed(executor, case, None if error is not None else fill.completion)
        if execution is not None:
            row["passed"] = execution.passed
            row["outcome"] = execution.outcome
    return row


def _executed(executor: Executor, case: Case, completion: str | None) -> Execution | None:
    """How the case ended with a completion; without one nothing is run, and nothing passes."""
    if completion is not None:
        return executor.execute(case, completion)
    return Execution(False, "error") if executor.runs(case) else None


def totals(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over rows, what a fill costs (over the rows without an error), and splits.

    `pass_at_1` is over the executed cases and present only if there were any. A rate that no
    row knows (`parses` without a grammar) is None.
    """
    summary: dict[str, Any] = {name: _mean(rows, name) for name in RATES}
    sound = [row for row in rows if "error" not in row]
    summary["ms_p50"] = _percentile([row["ms"] for row in sound], 50)
    summary["ms_p95"] = _percentile([row["ms"] for row in sound], 95)
    summary["tokens_mean"] = _mean(sound, "tokens")
    summary["steps_mean"] = _mean(sound, "steps")
    summary["cases"] = len(rows)
    summary["errors"] = sum("error" in row for row in rows)
    offered = [row for row in rows if "exact_in_3" in row]
    if offered:
        summary["exact_in_3"] = round(sum(row["exact_in_3"] for row in offered) / len(rows), 4)
    executed = [row for row in rows if "passed" in row]
    if executed:
        summary["pass_at_1"] = _mean(executed, "passed")
        summary["executed"] = len(executed)
        summary["outcomes"] = dict(Counter(row["outcome"].split(":")[0] for row in executed))
    for key in ("hole", "language"):
        kinds = sorted({row[key] for row in rows if key in row})
        if len(kinds) > 1 or (kinds and key == "hole"):
            summary[f"by_{key}"] = {
                kind: _split([row for row in rows if row.get(key) == kind]) for kind in kinds
            }
    return summary


def _split(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = ("exact_match", "edit_similarity", "parses", "empty")
    return {"cases": len(rows), **{name: _mean(rows, name) for name in names}}


def _mean(rows: Sequence[dict[str, Any]], key: str) -> float | None:
    values = [float(row[key]) for row in rows if row[key] is not None]
    return round(sum(values) / len(values), 4) if values else None


def _percentile(values: list[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 2) if values else None


def _finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinities."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
