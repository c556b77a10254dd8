"""Answers from quotes alone, with a tiny model of random weights that must not be asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.infill import Infiller, InfillRequest
from diffusion.ranking import Ranking

DOCUMENT = "def a(self):\n    self.width = width\n    self.height = \n"
AT = DOCUMENT.index("height = ") + len("height = ")
SURE = Ranking({"quote_likeness": 20.0}, calibrated=True, least_score=0.9)
ASKED = InfillRequest(DOCUMENT, AT, "python", alternatives=3, at_once=True)


@pytest.fixture
def infiller(tiny_model_dir: Path) -> Infiller:
    found = Infiller.load(tiny_model_dir, threads=1)
    found.ranking = Ranking({"quoted": 5.0}, calibrated=True, quotes=3, first_look=SURE)
    return found


def test_a_sure_quote_is_the_answer_and_nothing_is_encoded(infiller: Infiller) -> None:
    result = infiller.infill(ASKED)
    assert result.at_once and result.candidates[0].text == "height"
    assert (result.steps, len(infiller.contexts)) == (0, 0)
    assert result.candidates[0].quoted and result.candidates[0].score > 0.9


def test_who_wants_the_model_gets_it(infiller: Infiller) -> None:
    result = infiller.infill(replace(ASKED, at_once=False))
    assert not result.at_once and result.steps and len(infiller.contexts) == 1


@pytest.mark.parametrize(
    "look",
    [
        None,
        replace(SURE, bias=-40.0),
        replace(SURE, least_score=1.1),
        Ranking({"quote_likeness": -5.0}, calibrated=True, least_score=0.9),
    ],
)
def test_where_no_quote_is_sure_the_model_is_asked(
    infiller: Infiller, look: Ranking | None
) -> None:
    infiller.ranking = replace(infiller.ranking, first_look=look)
    result = infiller.infill(ASKED)
    assert not result.at_once and result.steps


def test_a_quote_that_does_not_parse_is_no_answer(infiller: Infiller) -> None:
    document = "f(a, b))\nf("
    asked = replace(ASKED, text=document, cursor=len(document))
    assert not infiller.infill(asked).at_once


def test_without_quotes_the_model_is_asked(infiller: Infiller) -> None:
    infiller.ranking = replace(infiller.ranking, quotes=0)
    assert not infiller.infill(ASKED).at_once
