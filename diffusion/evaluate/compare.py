"""Is one run better than another? Paired differences with bootstrap intervals.

Two runs over the same cases are compared case by case: the mean difference and its interval
leave out what makes a case hard for both, so far smaller gains can be told from luck.
Cases are matched by task id and, where ids repeat, by their turn. Intervals are drawn over groups
of cases (`groups`). A case in which either filler raised says nothing of what a fill costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from diffusion.errors import EvaluationError
from diffusion.evaluate.groups import groups_of
from diffusion.evaluate.metrics import bootstrap

METRICS = (
    "exact_match", "edit_similarity", "parses", "empty", "repetition", "suffix_echo", "passed",
    "steps", "ms",
)  # fmt: skip
COSTS = ("steps", "tokens", "ms")
"""What a fill took: unknown where the filler raised."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gain:
    """How much higher `metric` is in the new run; `low` and `high` bound it with 95 %.

    `cases` of `groups`: how many were compared, and from how many the interval was drawn.
    """

    metric: str
    old: float
    new: float
    gain: float
    low: float
    high: float
    cases: int
    groups: int

    @property
    def certain(self) -> bool:
        """Whether the interval leaves 0 out; one that was drawn from one group says nothing."""
        return self.groups > 1 and (self.low > 0 or self.high < 0)


def pairs(old: Sequence[Row], new: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Rows of the same case.

    Raises:
        EvaluationError: the runs share no case.
    """
    known = dict(zip(_keys(old), old, strict=True))
    found = [(known[key], row) for key, row in zip(_keys(new), new, strict=True) if key in known]
    if not found:
        raise EvaluationError(
            "the two runs share no task id", fix="compare runs over the same file of cases"
        )
    return found


def unmatched(old: Sequence[Row], new: Sequence[Row]) -> tuple[int, int]:
    """How many rows of each run the other has no row for: `compare` leaves them out."""
    in_old, in_new = set(_keys(old)), set(_keys(new))
    return len(in_old - in_new), len(in_new - in_old)


def compare(old: Sequence[Row], new: Sequence[Row], metrics: Sequence[str] = METRICS) -> list[Gain]:
    """A gain for every metric that both runs know; cases where one does not are left out."""
    gains = []
    matched = pairs(old, new)
    groups = groups_of([b for _, b in matched])
    for metric in metrics:
        known = [
            (float(a[metric]), float(b[metric]), group)
            for (a, b), group in zip(matched, groups, strict=True)
            if a.get(metric) is not None
            and b.get(metric) is not None
            and not (metric in COSTS and ("error" in a or "error" in b))
        ]
        if not known:
            continue
        values = [(a, b) for a, b, _ in known]
        interval = bootstrap([b - a for a, b in values], [group for *_, group in known])
        gains.append(
            Gain(
                metric=metric,
                old=round(sum(a for a, _ in values) / len(values), 4),
                new=round(sum(b for _, b in values) / len(values), 4),
                gain=round(interval.mean, 4),
                low=round(interval.low, 4),
                high=round(interval.high, 4),
                cases=len(values),
                groups=interval.groups,
            )
        )
    return gains


def table(gains: Sequence[Gain]) -> str:
    """The gains as a Markdown table."""
    lines = ["| metric | cases | groups | old | new | gain | 95 % interval |", "|---" * 7 + "|"]
    for gain in gains:
        mark = "" if gain.certain else " (may be chance)"
        lines.append(
            f"| {gain.metric} | {gain.cases} | {gain.groups} | {gain.old:.4g} | {gain.new:.4g} | "
            f"{gain.gain:+.4g} | {gain.low:+.4g} to {gain.high:+.4g}{mark} |"
        )
    return "\n".join(lines) + "\n"


def _keys(rows: Sequence[Row]) -> list[tuple[str, int]]:
    seen: Counter[str] = Counter()
    keys = []
    for row in rows:
        keys.append((row["task_id"], seen[row["task_id"]]))
        seen[row["task_id"]] += 1
    return keys
