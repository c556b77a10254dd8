"""Results of ablations as one Markdown table: means over seeds, their spread, and the difference.

Rows are compared with the base run of the same setting, of which results tell a digest (older ones
do not: there the same is what they do tell); the difference is taken seed by seed, since a seed
gives all rows the same first weights and documents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from diffusion.train.ablations import BASE

_TOLD = ("recipe", "tokens", "row_tokens", "stages", "start", "cases")
"""What an older result tells of its setting."""
_HEAD = (
    "row", "what is changed", "seeds", "loss", "t = 1", "t = 0.5", "t = 0.15", "loss over base",
    "next slot", "over base",
    "exact, oracle", "over base", "exact, predicted", "over base",
)  # fmt: skip


def tables(results: Sequence[dict[str, Any]]) -> str:
    """A table for each setting among the results, those with the most tokens first."""
    settings: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        settings.setdefault(_setting(result), []).append(result)
    found = sorted(settings.items(), key=lambda item: (-item[1][0]["tokens"], item[0]))
    return "\n".join(f"{_title(rows[0])}\n\n{_table(rows)}" for _, rows in found)


def _setting(result: dict[str, Any]) -> str:
    """What the results that may be compared have in common."""
    return result.get("setting") or str([result.get(name) for name in _TOLD])


def _title(result: dict[str, Any]) -> str:
    """The setting of a result in words."""
    told = dict.fromkeys(_TOLD, "?") | result
    batch = f"{told['rows']} rows" if "rows" in told else "rows"
    known = f" in {told['precision']}, setting {told['setting']}" if "setting" in told else ""
    return (
        f"{told['recipe']}, {told['tokens'] / 1e6:g} million tokens a run from {told['start']}, "
        f"stages {told['stages']}, {batch} of {told['row_tokens']}{known}, "
        f"{told['cases']} validation holes; mean and standard deviation over seeds"
    )


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
            if not all(key in run for run in runs):
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
    """The paired difference to the base run over the seeds for which both tell it."""
    known = [(run, base[s]) for s, run in seeds.items() if s in base and key in base[s]]
    gains = [factor * (run[key] - other[key]) for run, other in known]
    if not gains or seeds is base:
        return ""
    mean, spread = mean_spread(gains)
    tail = "" if spread is None else f" ± {spread:.{digits}f}"
    return f"{mean:+.{digits}f}{tail}"
