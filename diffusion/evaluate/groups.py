"""Cases that hang together: several holes of one problem, or of one file, are no separate draws.

The group of a case is what its file says (`group`), else the problem that its task id names
(`HumanEval/12`), else the case itself. Intervals draw whole groups (`metrics.bootstrap`), and what
is fitted to some folds is judged on groups of others (`calibrate`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

_PROBLEM = re.compile(r"HumanEval/\d+")


def problem_of(task_id: str) -> str | None:
    """The problem that a task id names, if it names one."""
    found = _PROBLEM.search(task_id)
    return None if found is None else found[0]


def groups_of(rows: Sequence[Mapping[str, Any]]) -> list[Hashable]:
    """The group of every result row; one that belongs to none has its number."""
    return [
        row.get("group") or problem_of(row["task_id"]) or number for number, row in enumerate(rows)
    ]


def folds_of(groups: Sequence[Hashable], folds: int) -> list[int]:
    """The fold of every case: no group is in two, and folds are as even as groups let them be.

    Where every case is a group of its own, they take turns.
    """
    fold: dict[Hashable, int] = {}
    filled = [0] * folds
    for group, size in Counter(groups).items():
        fold[group] = filled.index(min(filled))
        filled[fold[group]] += size
    return [fold[group] for group in groups]
