"""A ranking's figures to the last digit, and files that lack something."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.errors import TextError
from diffusion.ranking import QuoteEvidence, Ranking
from tests.unit.test_ranking import EVIDENCE


@pytest.mark.parametrize("more", [0, 1, 3])
def test_every_error_costs_as_much_as_the_first_and_only_in_the_order(more: int) -> None:
    ranking = Ranking({"sum_log_p": 1.0}, bias=0.5, calibrated=True, error_cost=0.75)
    erring = replace(EVIDENCE, errors_more=more)
    assert ranking.value(erring) == pytest.approx(ranking.value(EVIDENCE) - more * 0.75)
    assert ranking.score(erring) == ranking.score(EVIDENCE)


def test_a_fit_that_does_not_say_for_which_weights_is_used(tmp_path: Path) -> None:
    path = tmp_path / "ranking.json"
    Ranking({"echo": -1.0}, calibrated=True, facts={"cases": 3}).save(path)
    for weights in ("abc", None):
        assert Ranking.for_model(path, weights).weights == {"echo": -1.0}


@pytest.mark.parametrize("missing", ["least_score", "weights", "bias"])
def test_a_first_look_that_lacks_something_is_a_damaged_one(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "ranking.json"
    look = Ranking({"quote_share": 2.0}, -1.0, calibrated=True, least_score=0.45)
    Ranking({"mean_log_p": 1.0}, calibrated=True, first_look=look).save(path)
    document = json.loads(path.read_text())
    del document["first_look"][missing]
    path.write_text(json.dumps(document))
    with pytest.raises(TextError, match=rf"no ranking \(KeyError: '{missing}'\).*calibrate"):
        Ranking.load(path)


@pytest.mark.parametrize(
    ("place", "matched", "expected"),
    [
        (0, 0, {"quote_place": 0.0, "quote_matched": 0.0, "quote_likeness": 0.0,
                "quote_by_lines": 1.0, "quote_likeness_by_lines": 0.8}),
        (0, 6, {"quote_place": 0.0, "quote_matched": math.log(7), "quote_likeness": 0.8,
                "quote_by_lines": 0.0, "quote_likeness_by_lines": 0.0}),
        (2, 1, {"quote_place": math.log(3), "quote_matched": math.log(2), "quote_likeness": 0.8,
                "quote_by_lines": 0.0, "quote_likeness_by_lines": 0.0}),
    ],
)  # fmt: skip
def test_what_is_known_of_a_quote_in_numbers(
    place: int, matched: int, expected: dict[str, float]
) -> None:
    known = QuoteEvidence(place, likeness=0.8, share=0.5, matched=matched).features()
    assert known == pytest.approx({"quoted": 1.0, "quote_share": 0.5, **expected})
