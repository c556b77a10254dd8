"""A percentile by nearest rank: a time that was measured, never one between two or one too short.

Invariant: it imports nothing heavy, so that what drives an editor can use it, too.
"""

from __future__ import annotations

from collections.abc import Iterable


def percentile(values: Iterable[float], percent: int) -> float:
    """The least of `values` that `percent` % of them, or more, do not exceed.

    Raises:
        ValueError: there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values to rank")
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]
