"""Does a confidence mean what it says? Reliability bins of confidence against exact match.

Rows come from a result file of `diffill eval`. Rows without a confidence (nothing was offered)
are left out and counted. Bins hold equally many rows, so that each one's rate means something
even where most confidences crowd together; rows of equal confidence that a bound parts count on
both sides with the rate of all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.errors import EvaluationError


@dataclass(frozen=True, slots=True)
class Bin:
    """`count` rows with confidences in [low, high], their mean, and how many were exact."""

    low: float
    high: float
    count: int
    confidence: float
    exact_match: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Bins, and two figures over all rows.

    `expected_error` is the mean gap between confidence and rate over bins, weighted by count
    (ECE; Naeini et al. 2015). `ranking` is the chance that an exact completion has a higher
    confidence than an inexact one (AUROC): 0.5 says nothing, 1 separates them; None if one
    of the two is missing.
    """

    bins: tuple[Bin, ...]
    expected_error: float
    ranking: float | None


def reliability(rows: Sequence[dict[str, Any]], *, bins: int = 10) -> Reliability:
    """Reliability of `confidence` as a probability of `exact_match`.

    Raises:
        EvaluationError: no row has a confidence, or one is no probability.
    """
    pairs = sorted(
        (float(row["confidence"]), bool(row["exact_match"]))
        for row in rows
        if row.get("confidence") is not None
    )
    if not pairs:
        raise EvaluationError("no row has a confidence", fix="give the results of a model")
    if not 0.0 <= pairs[0][0] <= pairs[-1][0] <= 1.0:
        raise EvaluationError(
            f"confidences run from {pairs[0][0]:g} to {pairs[-1][0]:g}",
            fix="give results whose confidence is a probability",
        )
    rates = _rates(pairs)
    bounds = [round(i * len(pairs) / bins) for i in range(bins + 1)]
    groups = [(pairs[a:b], rates[a:b]) for a, b in itertools.pairwise(bounds) if b > a]
    made = tuple(
        Bin(
            low=group[0][0],
            high=group[-1][0],
            count=len(group),
            confidence=sum(p for p, _ in group) / len(group),
            exact_match=sum(hits) / len(group),
        )
        for group, hits in groups
    )
    gap = sum(b.count * abs(b.confidence - b.exact_match) for b in made) / len(pairs)
    return Reliability(made, gap, _ranking(pairs))


def plot(result: Reliability, path: Path, *, title: str) -> None:
    """Draw the bins against the diagonal. Needs matplotlib (the `train` extra)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([b.confidence for b in result.bins], [b.exact_match for b in result.bins], "o-")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="exact match", title=title)
    figure.savefig(path, dpi=120)


def _rates(pairs: list[tuple[float, bool]]) -> list[float]:
    """For each of the sorted rows, how many of those with its confidence were exact."""
    found: list[float] = []
    for _, tied in itertools.groupby(pairs, key=lambda pair: pair[0]):
        hits = [hit for _, hit in tied]
        found += [sum(hits) / len(hits)] * len(hits)
    return found


def _ranking(pairs: list[tuple[float, bool]]) -> float | None:
    """Area under the ROC curve by ranks, ties at their middle rank."""
    hits = sum(hit for _, hit in pairs)
    misses = len(pairs) - hits
    if not hits or not misses:
        return None
    rank_sum, at = 0.0, 0
    while at < len(pairs):
        end = at
        while end < len(pairs) and pairs[end][0] == pairs[at][0]:
            end += 1
        rank_sum += (at + 1 + end) / 2 * sum(hit for _, hit in pairs[at:end])
        at = end
    return (rank_sum - hits * (hits + 1) / 2) / (hits * misses)
