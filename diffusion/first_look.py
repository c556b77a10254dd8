"""Answering with a quote alone, before the model is asked.

Job: where places like the hole all say the same, what they say is right as often as what the
model would choose, and costs milliseconds. `Ranking.first_look` weighs quotes by themselves; it
was fitted with the ranking (`diffusion.evaluate.fit_first_look`), and so was the least score from
which its answer loses no exact match. Below that score, and where there is no such fit, the model
is asked.

Invariant: no context is encoded and no step is run.
"""

from __future__ import annotations

from collections.abc import Sequence

from diffusion.candidates import Candidate, Site, rank
from diffusion.quoting import PlacedQuote
from diffusion.ranking import Ranking
from diffusion.text.canvas import Placement
from diffusion.text.hole_length import LengthTable
from diffusion.text.tokenizer import Tokenizer


def first_look(
    ranking: Ranking,
    tokenizer: Tokenizer,
    lengths: LengthTable,
    site: Site,
    placement: Placement,
    quotes: Sequence[PlacedQuote],
) -> list[Candidate]:
    """The quotes in order, if the first is sure enough and parses; else nothing."""
    look = ranking.first_look
    if look is None or not quotes:
        return []
    pins, constraint = len(placement.pins), placement.constraint
    found, _ = rank(tokenizer, lengths, site, [], pins, constraint, look, quotes)
    sure = bool(found) and found[0].parses and found[0].score >= look.least_score
    return found if sure else []
