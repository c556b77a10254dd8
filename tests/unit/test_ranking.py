"""The ranking file and what a ranking makes of evidence."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.errors import TextError
from diffusion.ranking import FEATURES, Evidence, QuoteEvidence, Ranking, logistic
from diffusion.text.hole import KINDS

EVIDENCE = Evidence(
    kind="expression", finished=True, tokens=3, mean_log_p=-0.5, sum_log_p=-2.0,
    min_log_p=-1.5, end_log_p=-0.1, ended=True, length_prior=-2.0, parses=True,
    echo=False, lines=1,
)  # fmt: skip
QUOTE = QuoteEvidence(place=1, likeness=0.8, share=0.5, matched=6, said_log_p=-3.0)


def test_every_feature_of_any_evidence_has_a_name_that_files_may_weigh() -> None:
    for kind in KINDS:
        assert set(replace(EVIDENCE, kind=kind).features()) <= set(FEATURES)
    for quote in (QUOTE, replace(QUOTE, matched=0)):
        known = replace(EVIDENCE, quote=quote).features()
        assert set(known) <= set(FEATURES) and all(map(math.isfinite, known.values()))
    worst = replace(EVIDENCE, mean_log_p=-math.inf, sum_log_p=-math.inf, min_log_p=-math.inf)
    assert all(map(math.isfinite, worst.features().values()))


def test_by_hand_what_parses_comes_first_and_then_the_probable() -> None:
    ranking = Ranking()
    broken = replace(EVIDENCE, parses=False, mean_log_p=-0.01)
    likelier = replace(EVIDENCE, mean_log_p=-0.4)
    usual = replace(EVIDENCE, length_prior=-0.5)
    assert ranking.value(broken) < ranking.value(EVIDENCE) < ranking.value(likelier)
    assert ranking.value(likelier) < ranking.value(usual)
    assert ranking.score(EVIDENCE) == pytest.approx(math.exp(-0.5))


def test_by_hand_a_quote_alone_comes_last() -> None:
    alone = replace(EVIDENCE, sampled=False, mean_log_p=0.0, quote=QUOTE)
    broken = replace(EVIDENCE, parses=False, mean_log_p=-20.0)
    assert Ranking().value(alone) < Ranking().value(broken)
    assert Ranking().quotes == 0, "nothing says how far to trust one"


def test_what_was_said_of_a_quote_counts_where_no_canvas_was_filled_with_it() -> None:
    assert "quote_said" not in replace(EVIDENCE, quote=QUOTE).features()
    alone = replace(EVIDENCE, quote=QUOTE, sampled=False)
    assert alone.features()["quote_said"] == -3.0
    never = replace(alone, quote=replace(QUOTE, said_log_p=-1e9)).features()["quote_said"]
    assert math.isfinite(never) and never > -100, "a token that may not stand there"


def test_a_fitted_score_is_the_logistic_of_the_value_and_survives_the_file(tmp_path: Path) -> None:
    fitted = Ranking({"sum_log_p": 0.5, "kind:expression": 1.0}, bias=0.25, calibrated=True)
    fitted = replace(fitted, quantiles=(0.5, 0.9), forks=2, quotes=4, votes=False)
    assert fitted.value(EVIDENCE) == pytest.approx(0.25 - 1.0 + 1.0)
    fitted.save(tmp_path / "ranking.json")
    loaded = Ranking.load(tmp_path / "ranking.json")
    assert loaded == fitted
    assert loaded.score(EVIDENCE) == pytest.approx(1 / (1 + math.exp(-0.25)))


def test_the_cost_of_an_error_orders_and_is_in_no_score(tmp_path: Path) -> None:
    ranking = Ranking({"mean_log_p": 1.0}, calibrated=True, error_cost=2.0)
    half = replace(EVIDENCE, errors_more=1, mean_log_p=-0.1)
    assert ranking.value(half) < ranking.value(EVIDENCE)
    assert ranking.score(half) > ranking.score(EVIDENCE) == logistic(-0.5)
    ranking.save(tmp_path / "ranking.json")
    assert Ranking.load(tmp_path / "ranking.json").error_cost == 2.0


def test_a_first_look_survives_the_file_and_is_checked_as_the_rest_is(tmp_path: Path) -> None:
    look = Ranking({"quote_share": 2.0}, -1.0, calibrated=True, least_score=0.45)
    path = tmp_path / "ranking.json"
    Ranking({"mean_log_p": 1.0}, calibrated=True, first_look=look).save(path)
    assert Ranking.load(path).first_look == look
    for name, value in (("least_score", math.nan), ("weights", {"luck": 1.0}), ("bias", "much")):
        document = json.loads(path.read_text())
        document["first_look"][name] = value
        (tmp_path / "other.json").write_text(json.dumps(document))
        with pytest.raises(TextError, match="calibrate"):
            Ranking.load(tmp_path / "other.json")


def test_a_fit_for_other_weights_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "ranking.json"
    assert not Ranking.for_model(path, "abc").calibrated
    Ranking({"echo": -1.0}, calibrated=True, facts={"weights_sha256": "abc"}).save(path)
    assert Ranking.for_model(path, "abc").calibrated
    assert not Ranking.for_model(path, "other").calibrated


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 9}, "version 9"),
        ({"weights": {"charm": 1.0}}, "unknown feature 'charm'"),
        ({"weights": {"echo": float("nan")}}, "no number"),
        ({"weights": [1]}, "no ranking"),
        ({"bias": "high"}, "no ranking"),
        ({"quantiles": [0.5, 1.5]}, "no shares"),
        ({"quotes": -1}, "-1 quotes"),
        ({"forks": -2}, "-2 forks"),
    ],
)
def test_a_damaged_file_is_named_with_the_fix(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "ranking.json"
    path.write_text(json.dumps({"version": 1, "bias": 0.0, "weights": {}} | change), "utf-8")
    with pytest.raises(TextError, match=said) as raised:
        Ranking.load(path)
    assert "diffill calibrate" in str(raised.value)


def test_logistic_does_not_overflow() -> None:
    assert (logistic(-1e6), logistic(0.0), logistic(1e6)) == (0.0, 0.5, 1.0)
