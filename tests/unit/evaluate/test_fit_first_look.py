"""When a quote may answer without the model: only where that loses nothing."""

from __future__ import annotations

import random
from dataclasses import asdict, replace
from typing import Any

import pytest

from diffusion.evaluate.calibrate import FOLDS, Calibration, Offer, calibrate
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


def test_cases_without_quotes_are_counted_and_no_more(right: Calibration) -> None:
    """They stand in front, of one fold, and the model is right in all of them."""
    plain = [[Offer(evidence(), True)]] * 300
    with_plain = replace(
        right,
        offers=[*plain, *right.offers],
        folds=[*[0] * 300, *right.folds],
        judged=[*[{"confidence": 0.9, "exact_match": True, "parses": True}] * 300, *right.judged],
    )
    alone, found = fit_first_look(right), fit_first_look(with_plain)
    assert alone is not None and found is not None
    assert found.ranking == alone.ranking
    assert (found.exact, found.exact_of_model) == (alone.exact, alone.exact_of_model)
    assert found.answered == pytest.approx(alone.answered / 2)


def test_a_quote_that_does_not_parse_is_no_answer_however_sure_it_is() -> None:
    drawn = rows(quotes_are_right=True)
    like = [row for row in drawn if row["offers"][1]["quote"]["likeness"] > 0.7]
    for n, row in enumerate(like):
        row["offers"][1]["parses"] = n % 2 == 0  # it is right all the same
    found = fit_first_look(calibrate(drawn))
    assert found is not None and found.exact > 0.9
    assert found.answered <= (len(like) + 1) // 2 / len(drawn) + 0.01


def test_where_quote_and_model_are_right_equally_often_the_quote_answers() -> None:
    """A case's only candidate is both."""
    rng, drawn = random.Random(5), []
    for n in range(200):
        likeness = rng.random()
        known = asdict(evidence(quote=QuoteEvidence(0, likeness, 0.5, 4)))
        offer = known | {"exact_match": rng.random() < likeness}
        drawn.append({"task_id": str(n), "offers": [offer]})
    found = fit_first_look(calibrate(drawn))
    assert found is not None and found.exact == found.exact_of_model
    look = found.ranking.first_look
    assert look is not None and look.least_score == 0.3
