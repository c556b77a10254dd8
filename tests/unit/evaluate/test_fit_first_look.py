"""When a quote may answer without the model: only where that loses nothing."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from typing import Any

import pytest

from diffusion.evaluate.calibrate import calibrate
from diffusion.evaluate.fit_first_look import fit_first_look
from diffusion.ranking import QUOTE_FEATURES, QuoteEvidence
from tests.unit.evaluate.test_calibrate import evidence


def rows(*, quotes_are_right: bool, count: int = 300) -> list[dict[str, Any]]:
    """A model's candidate and a quote a case; of quotes, the like ones are right, or none is."""
    rng = random.Random(2)
    found = []
    for i in range(count):
        likeness, p = rng.random(), rng.random()
        quote = asdict(
            evidence(sampled=False, mean_log_p=0.0, quote=QuoteEvidence(0, likeness, 0.5, 4))
        )
        quote["exact_match"] = quotes_are_right and likeness > 0.7
        own = asdict(evidence(consensus=p)) | {"exact_match": rng.random() < p}
        found.append({"task_id": str(i), "offers": [own, quote]})
    return found


def test_like_quotes_answer_where_they_are_right() -> None:
    fitted = calibrate(rows(quotes_are_right=True))
    found = fit_first_look(fitted)
    assert found is not None and 0.2 < found.answered < 0.5
    assert found.exact >= found.exact_of_model - 0.02
    look = found.ranking.first_look
    assert look is not None and set(look.weights) <= set(QUOTE_FEATURES)
    like = evidence(sampled=False, quote=QuoteEvidence(0, 0.95, 0.5, 4))
    unlike = evidence(sampled=False, quote=QuoteEvidence(0, 0.2, 0.5, 4))
    assert look.score(like) > look.least_score > look.score(unlike)


def test_where_quotes_are_never_right_there_is_no_first_look() -> None:
    fitted = calibrate(rows(quotes_are_right=False))
    assert fit_first_look(fitted) is None


@pytest.mark.parametrize("count", [10, 40])
def test_few_cases_teach_nothing(count: int) -> None:
    fitted = calibrate(rows(quotes_are_right=True, count=300))
    few = replace(fitted, offers=fitted.offers[:count], judged=fitted.judged[:count])
    assert fit_first_look(few) is None
