"""One small infill with a freshly loaded model: what must work before anybody is served from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from diffusion.errors import AdapterError

if TYPE_CHECKING:
    from diffusion.infill import Infiller

_TEXT = b"""\
def total(values):
    result = 0
    for value in values:
        result +=\x20
    return result
"""
_CURSOR = _TEXT.index(b"+= ") + 3


def check_served(infiller: Infiller) -> None:
    """Fill a hole. Raises AdapterError where the model cannot, or its figures are no numbers."""
    from diffusion.infill import InfillRequest

    try:
        found = infiller.infill(InfillRequest(_TEXT, _CURSOR, "python", alternatives=1))
    except Exception as error:  # whatever a broken adapter does, it must not be served
        raise AdapterError(
            f"the model with this adapter cannot fill a hole ({type(error).__name__}: {error})",
            fix="go back with `diffill adapters rollback`",
        ) from error
    if any(not math.isfinite(token.p) for c in found.candidates for token in c.tokens):
        raise AdapterError(
            "the model with this adapter gives probabilities that are no numbers",
            fix="go back with `diffill adapters rollback`",
        )
