"""A JSON file of a model folder, read whatever is wrong with it.

Invariants: what is returned is an object; what cannot be read raises OSError, what is no object
ValueError, and nothing else is raised. A number too large for what computes with it, and what JSON
has no number for (NaN, Infinity), comes back as its text: `int` and `float` take it or raise
ValueError, and never an OverflowError.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Final

_MOST_DIGITS: Final = 18


def read_object(path: Path) -> dict[str, Any]:
    """The object that a file holds, in UTF-8. Raises OSError and ValueError."""
    try:
        found = json.loads(
            path.read_text(encoding="utf-8"),
            parse_int=_int, parse_float=_float, parse_constant=str,
        )  # fmt: skip
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("it holds no object")
    return found


def _int(digits: str) -> int | str:
    return int(digits) if len(digits.lstrip("-")) <= _MOST_DIGITS else digits


def _float(digits: str) -> float | str:
    found = float(digits)
    return found if math.isfinite(found) else digits
