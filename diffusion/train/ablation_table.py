"""Results of ablations as one Markdown table: means over seeds, their spread, and the difference.

Rows are compared with the base run of the same recipe, tokens and row length; the difference is
taken seed by seed, since a seed gives all rows the same first weights and documents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from diffusion.train.ablations import BASE

_SETTING = ("recipe", "tokens", "row_tokens", "stages", "start")
_HEAD = (
    "row", "what is changed", "seeds", "loss", "t = 1", "t = 0.5", "t = 0.15", "loss over base",
    "next slot", "over base",
    "exact, oracle", "over base", "exact, predicted", "over base",
)  # fmt: skip


def tables(results: Sequence[dict[str, Any]]) -> str:
    """A table for each setting among the results, those with the most tokens first."""
    settings = sorted({tuple(r[name] for name in _SETTING) for r in results}, key=str)
    parts = []
    for setting in sorted(settings, key=lambda found: -found[1]):
        rows = [r for r in results if tuple(r[name] for name in _SETTING) == setting]
        recipe, tokens, row_tokens, stages, start = setting
        parts.append(
            f"{recipe}, {tokens / 1e6:g} million tokens a run from {start}, stages {stages}, "
            f"rows of {row_tokens}, "
            f"{rows[0]['cases']} validation holes; mean and standard deviation over seeds\n\n"
            + _table(rows)
        )
    return "\n".join(parts)


def mean_spread(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None for the latter where there is one value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _table(results: Sequence[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(_HEAD) + " |", "|---" * len(_HEAD) + "|"]
    # A row that was measured again under a changed config keeps its newest result of a seed.
    by_row: dict[str, dict[int, dict[str, Any]]] = {}
    for result in results:
        by_row.setdefault(result["name"], {})[result["seed"]] = result
    base = by_row.get(BASE, {})
    for name, seeds in by_row.items():
        runs = list(seeds.values())
        cells = [name, runs[-1]["question"], str(len(runs)), _of([r["loss"] for r in runs], 3)]
        cells += [_of([r["loss_by_t"][t] for r in runs], 3) for t in ("1.0", "0.5", "0.15")]
        cells.append(_over(seeds, base, "loss", 3))
        cells += [_of([r["next_slot_loss"] for r in runs], 3)]
        cells.append(_over(seeds, base, "next_slot_loss", 3))
        for key in ("exact_match_oracle", "exact_match_predicted"):
            if key not in runs[-1]:
                cells += ["", ""]
                continue
            cells += [_of([100 * r[key] for r in runs], 1, " %"), _over(seeds, base, key, 1, 100)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _of(values: Sequence[float], digits: int, unit: str = "") -> str:
    mean, spread = mean_spread(values)
    tail = "" if spread is None else f" ± {spread:.{digits}f}"
    return f"{mean:.{digits}f}{tail}{unit}"


def _over(
    seeds: dict[int, dict[str, Any]],
    base: dict[int, dict[str, Any]],
    key: str,
    digits: int,
    factor: float = 1.0,
) -> str:
    """The paired difference to the base run over the seeds that both have."""
    gains = [factor * (run[key] - base[s][key]) for s, run in seeds.items() if s in base]
    if not gains or seeds is base:
        return ""
    mean, spread = mean_spread(gains)
    tail = "" if spread is None else f" ± {spread:.{digits}f}"
    return f"{mean:+.{digits}f}{tail}"
