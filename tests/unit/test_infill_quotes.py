"""Quotes on their way through the facade, with a tiny model of random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.infill import Infiller, InfillRequest
from diffusion.ranking import Ranking

DOCUMENT = "def a(self):\n    self.width = width\n    self.height = \n"
AT = DOCUMENT.index("height = ") + len("height = ")
TRUSTS_QUOTES = Ranking({"quoted": 5.0}, calibrated=True, quotes=3)


@pytest.fixture
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1)


def asked(**known: object) -> InfillRequest:
    return replace(InfillRequest(DOCUMENT, AT, "python", alternatives=20), **known)  # type: ignore[arg-type]


def test_without_a_fitted_ranking_nothing_is_quoted(infiller: Infiller) -> None:
    result = infiller.infill(asked())
    assert all(c.evidence is not None and c.evidence.sampled for c in result.candidates)


def test_quotes_are_offered_and_cost_no_step(infiller: Infiller) -> None:
    without = infiller.infill(asked())
    infiller.ranking = TRUSTS_QUOTES
    result = infiller.infill(asked())
    assert result.candidates[0].text == "height"
    assert result.steps == without.steps
    alone = {c.text for c in result.candidates if c.evidence is not None and c.evidence.sampled}
    assert alone == {c.text for c in without.candidates}, "the canvases are as before"


def test_a_quote_keeps_to_the_length_that_was_asked_for(infiller: Infiller) -> None:
    infiller.ranking = TRUSTS_QUOTES
    needed = infiller.oracle_slots(asked(), b"height")
    for slots in (needed, needed + 1):
        result = infiller.infill(asked(length=slots, exact=True))
        quoted = {c.text for c in result.candidates if c.evidence and c.evidence.quote}
        assert ("height" in quoted) is (slots == needed)


def test_other_documents_are_quoted_too(infiller: Infiller) -> None:
    infiller.ranking = TRUSTS_QUOTES
    elsewhere = (b"self.height = self.parent.height\n",)
    result = infiller.infill(asked(elsewhere=elsewhere))
    assert "self.parent.height" in {c.text for c in result.candidates}


def test_a_comment_is_not_gone_on_with_from_the_end_of_a_word(infiller: Infiller) -> None:
    infiller.ranking = TRUSTS_QUOTES
    text = "keys = {}\n# ErrNotFounds "
    result = infiller.infill(asked(text=text, cursor=len(text)))
    assert result.hole.kind == "comment"
    assert not any(c.evidence and c.evidence.quote for c in result.candidates)
