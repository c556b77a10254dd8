"""Fitting a ranking: what it learns from candidates, and that it claims no more than that."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from diffusion.errors import ConfigError, EvaluationError
from diffusion.evaluate.calibrate import (
    FOLDS,
    Offer,
    _with_cost,
    calibrate,
    cross_validated,
    logistic_regression,
    offers_of,
    store,
)
from diffusion.evaluate.calibrate_cli import app
from diffusion.evaluate.cases import Case
from diffusion.evaluate.fit_copying import CopyFit
from diffusion.evaluate.groups import folds_of
from diffusion.evaluate.results import read_rows
from diffusion.evaluate.work import Plan
from diffusion.infill import Infiller
from diffusion.model.manifest import FileRecord, Manifest, check_files
from diffusion.process.copying import COPYING_FILE, CopyWeights
from diffusion.ranking import RANKING_FILE, Evidence, QuoteEvidence, Ranking
from diffusion.text.tokenizer import Tokenizer
from tests.unit.train.corpora import write_corpus


def evidence(**known: Any) -> Evidence:
    base: dict[str, Any] = {
        "kind": "statement", "finished": True, "tokens": 4, "mean_log_p": -1.0, "sum_log_p": -4.0,
        "min_log_p": -2.0, "end_log_p": 0.0, "ended": False, "length_prior": -2.0, "parses": True,
        "echo": False, "lines": 1,
    }  # fmt: skip
    return Evidence(**(base | known))


def drawn_rows(count: int, *, truth: str) -> list[dict[str, Any]]:
    """Two candidates a case, of which the one that agrees more is right as often as it says.

    The mean log-probability misleads: it is higher for the other one.
    """
    rng = random.Random(1)
    rows = []
    for i in range(count):
        p = rng.random()
        right = rng.random() < p
        known = {"repeats": p, "mean_log_p": -1.5} if truth == "repeats" else {"mean_log_p": 0}
        good = {"exact_match": right, "text": "a"} | asdict(evidence(**known))
        bad = {"exact_match": False, "text": "b"} | asdict(evidence(mean_log_p=-0.2))
        if truth != "repeats":
            good["repeats"] = bad["repeats"] = p
        rows.append({"task_id": str(i), "offers": [bad, good] if i % 2 else [good, bad]})
    return rows


def test_a_fit_finds_what_tells_and_its_scores_are_rates() -> None:
    result = calibrate(drawn_rows(600, truth="repeats"))
    assert result.kept == "fitted" and result.ranking.calibrated
    assert result.by_hand < 0.05 and 0.4 < result.fitted <= result.best
    assert result.after.expected_error < 0.08 < result.before.expected_error
    sure = result.ranking.score(evidence(repeats=0.95, mean_log_p=-1.5))
    unsure = result.ranking.score(evidence(repeats=0.1, mean_log_p=-1.5))
    assert sure > 0.75 and unsure < 0.3


def test_where_the_order_by_hand_is_right_no_case_is_lost() -> None:
    result = calibrate(drawn_rows(300, truth="mean_log_p"))
    assert max(result.fitted, result.by_hand) == result.best
    assert result.after.expected_error < 0.15


def test_what_is_known_of_a_quote_is_learned_from_too() -> None:
    rows = drawn_rows(300, truth="repeats")
    for row in rows:
        for offer in row["offers"]:
            likeness = 0.9 if offer["exact_match"] else 0.2
            offer["quote"] = asdict(QuoteEvidence(0, likeness, 0.5, 4))
            offer["repeats"] = 0.0
    result = calibrate(rows)
    assert result.kept == "fitted" and result.fitted == result.best
    assert result.ranking.weights["quote_likeness"] > 0.5


def test_of_orders_equally_right_the_one_that_leaves_fewer_errors_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = []
    for i in range(200):
        right = i % 4 == 0  # what leaves an error is right there, and many canvases say it
        agreed = 0.9 if right else 0.5
        more = evidence(repeats=agreed, errors_more=1)
        broken = {"exact_match": right} | asdict(more)
        sound = {"exact_match": False} | asdict(evidence(repeats=0.4))
        rows.append({"task_id": str(i), "offers": [broken, sound]})
    found = calibrate(rows)
    assert found.fitted == found.best == 0.25 and found.parses == 0.75
    monkeypatch.setattr("diffusion.evaluate.calibrate.ERROR_COSTS", (0.0,))
    assert calibrate(rows).parses == 0.0


def test_unfinished_candidates_and_empty_rows_teach_nothing() -> None:
    rows = drawn_rows(3, truth="repeats")
    for offer in rows[0]["offers"]:
        offer["finished"] = False
    assert [len(offers_of(row)) for row in (*rows, {"task_id": "none"})] == [0, 2, 2, 0]


def test_without_exact_candidates_nothing_is_fitted() -> None:
    rows = drawn_rows(40, truth="repeats")
    for row in rows:
        for offer in row["offers"]:
            offer["exact_match"] = False
    with pytest.raises(EvaluationError, match="only 0 candidates"):
        calibrate(rows)


def test_logistic_regression_finds_the_weights_that_made_the_data() -> None:
    generator = np.random.default_rng(0)
    x_ND = np.column_stack((generator.normal(3, 2, 20_000), np.ones(20_000)))
    p_N = 1 / (1 + np.exp(-(0.8 * x_ND[:, 0] - 2)))
    y_N = (generator.random(20_000) < p_N).astype(float)
    weights_D, bias = logistic_regression(x_ND, y_N, l2=0.1)
    assert weights_D[0] == pytest.approx(0.8, abs=0.05) and weights_D[1] == 0.0
    assert bias == pytest.approx(-2, abs=0.12)


def test_separable_data_end_in_finite_weights() -> None:
    x_ND = np.arange(20.0)[:, None]
    weights_D, bias = logistic_regression(x_ND, (x_ND[:, 0] > 9).astype(float), l2=1e-3)
    assert math.isfinite(bias) and 0 < weights_D[0] < 1e3


def test_a_stored_ranking_is_bound_to_the_weights_and_known_to_the_manifest(
    tmp_path: Path,
) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    files = {weights.name: FileRecord.of(weights)}
    Manifest({}, "hash", 0, "", {}, files).write(tmp_path)
    for _ in range(2):  # again over the first
        store(tmp_path, Ranking({"echo": -1.0}, calibrated=True, facts={"cases": 3}))
    manifest = Manifest.read(tmp_path)
    assert manifest is not None and set(manifest.files) == {weights.name, RANKING_FILE}
    check_files(tmp_path, manifest.files)
    path = tmp_path / RANKING_FILE
    assert Ranking.for_model(path, FileRecord.of(weights).sha256).calibrated
    assert not Ranking.for_model(path, "0").calibrated
    with pytest.raises(EvaluationError, match="cannot write"):
        store(tmp_path / "none", Ranking())


def test_what_cannot_all_be_stored_changes_nothing(tmp_path: Path) -> None:
    store(tmp_path, Ranking({"echo": -1.0}, calibrated=True))
    before = (tmp_path / RANKING_FILE).read_bytes()
    (tmp_path / f"{COPYING_FILE}.new").mkdir()
    with pytest.raises(EvaluationError, match="cannot write"):
        store(tmp_path, Ranking({"echo": -2.0}, calibrated=True), copying=CopyWeights())
    assert (tmp_path / RANKING_FILE).read_bytes() == before
    assert not (tmp_path / f"{RANKING_FILE}.new").exists()


@pytest.mark.parametrize("quantiles", ["abc", "0,6", "0.6,,0.9", ""])
def test_shares_that_are_none_are_refused_before_anything_is_done(
    tiny_model_dir: Path, tmp_path: Path, quantiles: str
) -> None:
    words = ["--corpus", str(tmp_path), "--model", str(tiny_model_dir), "--quantiles", quantiles]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ConfigError) and "--quantiles" in str(result.exception)


class Jealous:
    """A ranking that refuses to judge what it was fitted to."""

    def __init__(self, learned: Sequence[Sequence[Offer]]) -> None:
        self.learned = {id(offer.evidence) for offers in learned for offer in offers}

    def value(self, found: Evidence) -> float:
        assert id(found) not in self.learned
        return found.mean_log_p

    def score(self, found: Evidence) -> float:
        return math.exp(self.value(found))


def test_no_case_is_judged_by_a_fit_that_saw_it_and_every_fit_sees_the_others() -> None:
    cases = [[Offer(evidence(mean_log_p=-1.0 - n), n % 2 == 0)] for n in range(23)]
    fits: list[int] = []

    def fit(learned: Sequence[Sequence[Offer]]) -> Any:
        fits.append(len(learned))
        return Jealous(learned)

    judged = cross_validated(cases, folds_of(range(len(cases)), FOLDS), fit)
    assert [row["exact_match"] for row in judged] == [n % 2 == 0 for n in range(23)]
    assert len(fits) == FOLDS and sum(fits) == (FOLDS - 1) * len(cases)


def test_holes_of_one_document_are_in_one_fold() -> None:
    rows = [
        dict(row, group=f"python/{n // 4}") for n, row in enumerate(drawn_rows(120, truth="any"))
    ]
    folds = calibrate(rows).folds
    assert folds == [folds[n - n % 4] for n in range(120)]
    assert [folds.count(fold) for fold in range(FOLDS)] == [24] * FOLDS
    few = [dict(row, group=f"python/{n % 4}") for n, row in enumerate(rows)]
    with pytest.raises(EvaluationError, match="4 documents"):
        calibrate(few)


@pytest.mark.parametrize(
    ("words", "wanted"), [((), (0.6, 0.9)), (("--quantiles", "0.3,0.7"), (0.3, 0.7))]
)
def test_the_lengths_that_are_fitted_with_are_those_that_are_stored(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...], wanted: tuple[float, ...],
) -> None:  # fmt: skip
    folder = Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))
    store(folder, Ranking(quantiles=(0.6, 0.9)))
    tried: list[tuple[float, ...] | None] = []

    def filled(plan: Plan, cases: list[Case], *, workers: int) -> Iterator[list[dict[str, Any]]]:
        tried.append(plan.quantiles)
        yield from ([row | {"exact_match": True}] for row in drawn_rows(100, truth="repeats"))

    nothing = CopyFit(CopyWeights(), 0, 0.0, 0.0)
    monkeypatch.setattr("diffusion.evaluate.fit_copying.fit_copying", lambda *_: nothing)
    monkeypatch.setattr("diffusion.evaluate.work.run", filled)
    corpus = write_corpus(tmp_path / "corpus", Tokenizer.load(folder / "tokenizer.json"))
    named = ["--corpus", corpus, "--model", folder, "--cases", 20, "--copy-cases", 20, *words]
    result = CliRunner().invoke(app, [*map(str, named)])
    assert result.exit_code == 0, result.exception
    assert tried == [wanted] and Ranking.load(folder / RANKING_FILE).quantiles == wanted


def test_rows_and_plot_are_two_files(tiny_model_dir: Path, tmp_path: Path) -> None:
    words = ["--corpus", tmp_path, "--model", tiny_model_dir, "--dry-run"]
    words += ["--rows", tmp_path / "x", "--plot", tmp_path / "x"]
    result = CliRunner().invoke(app, [*map(str, words)])
    assert isinstance(result.exception, EvaluationError)
    assert "is the file of --rows" in str(result.exception)


@pytest.mark.parametrize("option", ["--rows", "--plot"])
def test_the_two_fits_see_different_documents_and_a_fit_is_stored_before_what_may_fail(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    folder = Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))
    fitted_to: list[list[Case]] = []

    def copied(infiller: Infiller, cases: Iterable[Case]) -> CopyFit:
        fitted_to.append(list(cases))
        return CopyFit(CopyWeights(), 0, 0.0, 0.0)

    def filled(plan: Plan, cases: list[Case], *, workers: int) -> Iterator[list[dict[str, Any]]]:
        fitted_to.append(cases)
        yield from ([row | {"exact_match": True}] for row in drawn_rows(100, truth="repeats"))

    monkeypatch.setattr("diffusion.evaluate.fit_copying.fit_copying", copied)
    monkeypatch.setattr("diffusion.evaluate.work.run", filled)
    corpus = write_corpus(tmp_path / "corpus", Tokenizer.load(folder / "tokenizer.json"))
    words = ["--corpus", corpus, "--model", folder, "--cases", 20, "--copy-cases", 20]
    result = CliRunner().invoke(app, [*map(str, words), option, "/dev/full"])
    assert isinstance(result.exception, EvaluationError), result.exception
    assert "cannot write /dev/full (No space left" in str(result.exception)
    assert json.loads(result.stdout.splitlines()[-1])["cases"] == 100
    assert (folder / RANKING_FILE).is_file() and (folder / COPYING_FILE).is_file()
    first, second = ({case.group for case in cases} for cases in fitted_to)
    assert first and second and not first & second


def test_rows_that_nothing_can_be_fitted_to_are_kept(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"task_id": str(n), "exact_match": False, "group": str(n)} for n in range(20)]
    nothing = CopyFit(CopyWeights(), 0, 0.0, 0.0)
    monkeypatch.setattr("diffusion.evaluate.fit_copying.fit_copying", lambda *_: nothing)
    monkeypatch.setattr("diffusion.evaluate.work.run", lambda *_, **__: ([row] for row in rows))
    corpus = write_corpus(tmp_path / "corpus", Tokenizer.load(tiny_model_dir / "tokenizer.json"))
    words = ["--corpus", corpus, "--model", tiny_model_dir, "--dry-run", "--rows", tmp_path / "r"]
    result = CliRunner().invoke(app, [*map(str, words)])
    assert isinstance(result.exception, EvaluationError) and "candidates" in str(result.exception)
    assert read_rows(tmp_path / "r") == rows


@pytest.mark.parametrize("option", ["--rows", "--plot"])
def test_what_cannot_be_written_is_told_before_anything_is_fitted(
    tiny_model_dir: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    words = ["--corpus", tmp_path / "none", "--model", tiny_model_dir, "--dry-run"]
    result = CliRunner().invoke(app, [*map(str, words), option, str(tmp_path / "file" / "x")])
    assert isinstance(result.exception, EvaluationError) and option in str(result.exception)


def test_an_error_costs_no_more_than_exact_matches_allow() -> None:
    """What leaves an error is right in three of five cases, the sound one in one: 1.8 nats apart.

    So up to a cost of 1.5 nothing is lost, and from 2.0 on two of three exact matches are.
    """
    rng, cases = random.Random(3), []
    for n in range(500):
        broken, sound = evidence(repeats=1.0, errors_more=1), evidence(repeats=0.0)
        cases.append([Offer(broken, n % 5 < 3), Offer(sound, n % 5 == 3)])
    rng.shuffle(cases)
    cost, judged = _with_cost(cases, folds_of(range(len(cases)), FOLDS))
    assert cost == 1.5
    assert sum(row["exact_match"] for row in judged) == 300
