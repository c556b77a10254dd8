"""Fits when a quote may be the answer without the model being asked (`diffusion.first_look`).

Input: the cases that a ranking is fitted to. What a quote says of itself (`QUOTE_FEATURES`) is
weighed as `calibrate` weighs everything. Both the quote's score and the ranking's own choice are
cross-validated, and the least score is the lowest from which answering with quotes finds no fewer
exact matches than the ranking, on the same folds, none of which shares a document with another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from diffusion.evaluate.calibrate import FOLDS, Calibration, cross_validated, fit
from diffusion.ranking import QUOTE_FEATURES, Ranking

_FEWEST_CASES = 50
_FEWEST_EXACT = 10
_SCORES = tuple(0.3 + 0.05 * step for step in range(13))


@dataclass(frozen=True, slots=True)
class FirstLookFit:
    """`ranking` with a first look; `answered`: its share of the cases that have candidates.

    `exact`, `exact_of_model`: exact matches among those, by the quote and by `ranking`.
    """

    ranking: Ranking
    answered: float
    exact: float
    exact_of_model: float


def fit_first_look(fitted: Calibration) -> FirstLookFit | None:
    """A first look for a fitted ranking; None where quotes are too few or never as good."""
    cases, ranking = fitted.offers, fitted.ranking
    quoted = [[o for o in offers if o.evidence.quote is not None] for offers in cases]
    seen = [n for n, offers in enumerate(quoted) if offers]
    quotes = [quoted[n] for n in seen]
    exact = sum(offer.exact for offers in quotes for offer in offers)
    if fitted.kept != "fitted" or len(quotes) < _FEWEST_CASES or exact < _FEWEST_EXACT:
        return None
    folds = [fitted.folds[n] for n in seen]
    if len(set(folds)) < FOLDS:
        return None
    weigh = partial(fit, names=QUOTE_FEATURES)
    looked = cross_validated(quotes, folds, weigh)
    model = [fitted.judged[n] for n in seen]
    for least in _SCORES:
        here = [
            (a["exact_match"], b["exact_match"])
            for a, b in zip(looked, model, strict=True)
            if a["confidence"] >= least and a["parses"]
        ]
        by_quote, by_model = (sum(side) for side in zip(*here, strict=True)) if here else (0, 0)
        if here and by_quote >= by_model:
            look = replace(weigh(quotes), least_score=round(least, 2))
            return FirstLookFit(
                replace(ranking, first_look=look),
                len(here) / len(cases), by_quote / len(here), by_model / len(here),
            )  # fmt: skip
    return None
