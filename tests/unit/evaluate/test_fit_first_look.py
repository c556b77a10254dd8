"""When a quote may answer without the model: only where that loses nothing."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from typing import Any

import pytest

from diffusion.evaluate.calibrate import FOLDS, Calibration, calibrate
from diffusion.evaluate.fit_first_look import fit_first_look
from diffusion.evaluate.groups import folds_of
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
        own = asdict(evidence(repeats=p)) | {"exact_match": rng.random() < p}
        found.append({"task_id": str(i), "offers": [own, quote]})
    return found


@pytest.fixture(scope="module")
def right() -> Calibration:
    """Fitted where like quotes are right."""
    return calibrate(rows(quotes_are_right=True))


def test_like_quotes_answer_where_they_are_right(right: Calibration) -> None:
    found = fit_first_look(right)
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


def test_the_quotes_of_three_documents_teach_nothing(right: Calibration) -> None:
    documents = [n % 3 for n in range(len(right.offers))]
    assert fit_first_look(replace(right, folds=folds_of(documents, FOLDS))) is None


def test_quotes_are_judged_by_what_was_learned_of_other_folds(right: Calibration) -> None:
    """If all right quotes are of one document, nobody has learned what a right one looks like."""
    documents = [
        "one" if any(o.exact and o.evidence.quote is not None for o in offers) else n
        for n, offers in enumerate(right.offers)
    ]
    found = fit_first_look(replace(right, folds=folds_of(documents, FOLDS)))
    assert found is None or found.answered < 0.02


@pytest.mark.parametrize("count", [10, 40])
def test_few_cases_teach_nothing(right: Calibration, count: int) -> None:
    few = replace(right, offers=right.offers[:count], judged=right.judged[:count])
    assert fit_first_look(few) is None
