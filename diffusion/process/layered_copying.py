"""Votes of a document with those of other files behind them.

Invariant: the document comes first. Other files are heard only where they match more of what
stands left of a slot than the document does, and at least `LEAST_MATCH` tokens of it: a single
token occurs everywhere, and the weights were fitted to votes of the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from diffusion.process.copying import CopyIndex, Votes

LEAST_MATCH: Final = 2


@dataclass(frozen=True, slots=True)
class LayeredIndex:
    """A document's index, `own`, and one of texts from other files, `others`."""

    own: CopyIndex
    others: CopyIndex

    def votes(self, history: Sequence[int], *, line_ends: frozenset[int]) -> Votes | None:
        """What follows `history` in the document, or, where they know more of it, elsewhere."""
        own = self.own.votes(history, line_ends=line_ends)
        others = self.others.votes(history, line_ends=line_ends)
        least = max(LEAST_MATCH, own.longest + 1 if own is not None else 0)
        return others if others is not None and others.longest >= least else own
