"""Fits a model's `Ranking` to holes of validation text, and says what it is worth.

Input: result rows with `offers` (every candidate of a case with its evidence, see
`infill_eval`). Two stages: a logistic regression over all finished candidates learns what an
exact one looks like; then a logistic in its value alone, over the candidates that come first,
makes up for the fact that the chosen one of several always looks too good. Of orders that find
about as many exact matches, the one whose first candidates leave the fewest syntax errors is taken
(`ERROR_COSTS`); otherwise order and score are monotone in the same value.

Every figure is cross-validated: no case is judged by a fit that saw it, or saw another hole of its
document (the cost of an error is the best of a handful on these folds, though). The
fitted order is kept only if it finds at least as many exact matches as the order by hand; else
the order by hand gets a calibrated scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from diffusion.errors import EvaluationError
from diffusion.evaluate.calibration import Reliability, reliability
from diffusion.evaluate.groups import folds_of, groups_of
from diffusion.model.manifest import MANIFEST_FILE, WEIGHTS_FILE, FileRecord, Manifest
from diffusion.process.copying import COPYING_FILE, CopyWeights
from diffusion.ranking import FEATURES, RANKING_FILE, Evidence, QuoteEvidence, Ranking

FOLDS = 5
ERROR_COSTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Tried in turn, see `Ranking.error_cost`; in nats."""
_MOST_LOST = 0.0015
"""Of exact matches: what is wrong in any case had better be sound."""
_L2 = 4.0
_FEWEST_EXACT = 5
_EVIDENCE = tuple(item.name for item in fields(Evidence))

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Offer:
    """One candidate of one case."""

    evidence: Evidence
    exact: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted ranking, and shares of cases (cross-validated) that say how good it is.

    `by_hand` and `fitted`: exact matches of the first candidate. `best`: of any candidate, the
    most that any order could reach. `parses`: first candidates that leave no new syntax error.
    `offers`: what it was fitted to; `folds`: the fold of each case; `judged`: its first candidate.
    `before` and `after`: reliability of the score.
    """

    ranking: Ranking
    kept: str
    cases: int
    by_hand: float
    fitted: float
    best: float
    parses: float
    offers: Sequence[Sequence[Offer]]
    folds: Sequence[int]
    judged: Sequence[Mapping[str, Any]]
    before: Reliability
    after: Reliability


def store(
    folder: Path, ranking: Ranking | None = None, *, copying: CopyWeights | None = None
) -> None:
    """Put fits into a model folder, bound to its weights, and note them in the manifest.

    Raises:
        EvaluationError: the folder cannot be written; what was there is as it was.
    """
    fresh: dict[str, Path] = {}
    try:
        if ranking is not None:
            fresh[RANKING_FILE] = folder / f"{RANKING_FILE}.new"
            replace(ranking, facts=_bound(folder, ranking.facts)).save(fresh[RANKING_FILE])
        if copying is not None:
            fresh[COPYING_FILE] = folder / f"{COPYING_FILE}.new"
            replace(copying, facts=_bound(folder, copying.facts)).save(fresh[COPYING_FILE])
        manifest = Manifest.read(folder)
        if manifest is not None:
            records = {name: FileRecord.of(path) for name, path in fresh.items()}
            fresh[MANIFEST_FILE] = folder / f"{MANIFEST_FILE}.new"
            replace(manifest, files=manifest.files | records).save(fresh[MANIFEST_FILE])
        for name, path in fresh.items():  # all are written: little can fail between these
            path.replace(folder / name)
    except OSError as error:
        for path in fresh.values():
            with suppress(OSError):
                path.unlink()
        raise EvaluationError(
            f"cannot write to {folder} ({error.strerror})",
            fix="copy the model to a writable folder",
        ) from error


def _bound(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """`facts` with the hash of the folder's weights, for no other of which a fit is used."""
    weights = folder / WEIGHTS_FILE
    if not weights.is_file():
        return dict(facts)
    try:
        return {**facts, "weights_sha256": FileRecord.of(weights).sha256}
    except OSError as error:
        raise EvaluationError(
            f"cannot read {weights} ({error.strerror})", fix="make the model folder readable"
        ) from error


def offers_of(row: Mapping[str, Any]) -> list[Offer]:
    """The finished candidates of a row."""
    return [
        Offer(_evidence_in(offer), offer["exact_match"])
        for offer in row.get("offers", ())
        if offer["finished"]
    ]


def _evidence_in(offer: Mapping[str, Any]) -> Evidence:
    known = {name: offer[name] for name in _EVIDENCE if name in offer}
    if known.get("quote") is not None:
        known["quote"] = QuoteEvidence(**known["quote"])
    return Evidence(**known)


def calibrate(rows: Sequence[dict[str, Any]]) -> Calibration:
    """Fit a ranking to result rows with offers.

    Raises:
        EvaluationError: too few candidates are exact for anything to be learned, or too few
            documents are behind them.
    """
    known = [(row, offers) for row in rows if (offers := offers_of(row))]
    cases = [offers for _, offers in known]
    exact = sum(offer.exact for offers in cases for offer in offers)
    if exact < _FEWEST_EXACT:
        raise EvaluationError(
            f"only {exact} candidates in {len(cases)} cases are exact",
            fix="calibrate with more cases, or train the model longer first",
        )
    folds = folds_of(groups_of([row for row, _ in known]), FOLDS)
    if len(set(folds)) < FOLDS:
        raise EvaluationError(
            f"the cases come from {len(set(folds))} documents, of which {FOLDS} are needed",
            fix="calibrate with a larger corpus, or with more cases",
        )
    by_hand = Ranking()
    before = [_judge(by_hand, offers) for offers in cases]
    judged = {"by hand": cross_validated(cases, folds, lambda learn: _scaled(by_hand, learn))}
    cost, judged["fitted"] = _with_cost(cases, folds)
    rates = {name: _rate(found) for name, found in judged.items()}
    kept = "fitted" if rates["fitted"] >= rates["by hand"] else "by hand"
    ranking = fit(cases, cost) if kept == "fitted" else _scaled(by_hand, cases)
    every = len(rows)
    return Calibration(
        ranking=ranking,
        kept=kept,
        cases=every,
        by_hand=rates["by hand"] * len(cases) / every,
        fitted=rates["fitted"] * len(cases) / every,
        best=sum(any(offer.exact for offer in offers) for offers in cases) / every,
        offers=cases,
        folds=folds,
        judged=judged[kept],
        parses=sum(row["parses"] for row in judged[kept]) / every,
        before=reliability(before),
        after=reliability(judged[kept]),
    )


Fit = Callable[[Sequence[Sequence[Offer]]], Ranking]


def cross_validated(
    cases: Sequence[Sequence[Offer]], folds: Sequence[int], fit: Fit
) -> list[dict[str, Any]]:
    """The first candidate of every case, by a ranking that saw no case of its fold."""
    judged: list[dict[str, Any]] = [{}] * len(cases)
    for fold in sorted(set(folds)):
        ranking = fit([offers for offers, at in zip(cases, folds, strict=True) if at != fold])
        for i, at in enumerate(folds):
            if at == fold:
                judged[i] = _judge(ranking, cases[i])
    return judged


def _with_cost(
    cases: Sequence[Sequence[Offer]], folds: Sequence[int]
) -> tuple[float, list[dict[str, Any]]]:
    """The largest cost of an error with which `_MOST_LOST` is lost at most, and what is first."""
    found = {
        cost: cross_validated(cases, folds, partial(fit, error_cost=cost)) for cost in ERROR_COSTS
    }
    least = _rate(found[0.0]) - _MOST_LOST
    best = max(cost for cost, judged in found.items() if _rate(judged) > least)
    return best, found[best]


def _judge(ranking: Ranking, offers: Sequence[Offer]) -> dict[str, Any]:
    """The first candidate as a row that `reliability` reads."""
    first = max(offers, key=lambda offer: ranking.value(offer.evidence))
    return {
        "confidence": ranking.score(first.evidence),
        "exact_match": first.exact,
        "parses": first.evidence.parses and not first.evidence.errors_more,
    }


def _rate(judged: Sequence[dict[str, Any]]) -> float:
    return sum(row["exact_match"] for row in judged) / len(judged)


def fit(
    cases: Sequence[Sequence[Offer]],
    error_cost: float = 0.0,
    names: Sequence[str] = FEATURES,
) -> Ranking:
    """Both stages, with the features of these `names`."""
    every = [offer for offers in cases for offer in offers]
    found = [offer.evidence.features() for offer in every]
    x_ND = np.array([[features.get(name, 0.0) for name in names] for features in found])
    y_N = np.array([float(offer.exact) for offer in every])
    weights_D, bias = logistic_regression(x_ND, y_N, l2=_L2)
    weights = {name: float(w) for name, w in zip(names, weights_D, strict=True) if abs(w) > 1e-6}
    ranking = Ranking(weights, bias, calibrated=True, error_cost=error_cost)
    return _scaled(ranking, cases)


def _scaled(ranking: Ranking, cases: Sequence[Sequence[Offer]]) -> Ranking:
    """The same order, with a value whose logistic is the rate of exact first candidates."""
    firsts = [max(offers, key=lambda offer: ranking.value(offer.evidence)) for offers in cases]
    x_ND = np.array([[ranking.log_odds(offer.evidence)] for offer in firsts])
    y_N = np.array([float(offer.exact) for offer in firsts])
    [slope], bias = logistic_regression(x_ND, y_N, l2=0.01)
    if not slope > 0:  # the firsts say nothing of the order: keep it, correct the rate alone
        slope, bias = 1e-3, _logit(y_N.mean()) - 1e-3 * x_ND.mean()
    weights = {name: weight * float(slope) for name, weight in ranking.weights.items()}
    bias = ranking.bias * float(slope) + float(bias)
    cost = ranking.error_cost * float(slope)
    return Ranking(weights, bias, calibrated=True, error_cost=cost)


def logistic_regression(x_ND: Array, y_N: Array, *, l2: float) -> tuple[Array, float]:
    """Weights and bias that maximise the likelihood less `l2`/2 of the squared weights.

    The penalty is on standardised features; a feature that never varies gets weight 0. Newton's
    method, with steps that are halved until they improve.
    """
    mean_D, spread_D = x_ND.mean(axis=0), x_ND.std(axis=0)
    varies_D = spread_D > 1e-9
    z_ND = np.where(varies_D, (x_ND - mean_D) / np.where(varies_D, spread_D, 1.0), 0.0)
    z_NE = np.column_stack((z_ND, np.ones(len(z_ND))))
    penalty_E = np.append(np.full(z_ND.shape[1], l2), 1e-6)
    w_E = np.append(np.zeros(z_ND.shape[1]), _logit(float(y_N.mean())))

    def loss(w: Array) -> float:
        value_N = z_NE @ w
        return float(np.logaddexp(0.0, value_N).sum() - y_N @ value_N + penalty_E @ (w * w) / 2)

    now = loss(w_E)
    for _ in range(100):
        p_N = 1.0 / (1.0 + np.exp(-np.clip(z_NE @ w_E, -50, 50)))
        slope_E = z_NE.T @ (p_N - y_N) + penalty_E * w_E
        curve_EE = (z_NE * (p_N * (1 - p_N))[:, None]).T @ z_NE + np.diag(penalty_E)
        step_E = np.linalg.solve(curve_EE + 1e-9 * np.eye(len(w_E)), slope_E)
        size = 1.0
        while size > 1e-6 and loss(w_E - size * step_E) > now:
            size /= 2
        w_E = w_E - size * step_E
        gained, now = now - loss(w_E), loss(w_E)
        if gained < 1e-9:
            break
    weights_D = np.where(varies_D, w_E[:-1] / np.where(varies_D, spread_D, 1.0), 0.0)
    return weights_D, float(w_E[-1] - weights_D @ mean_D)


def _logit(rate: float) -> float:
    rate = min(max(rate, 1e-4), 1 - 1e-4)
    return math.log(rate / (1 - rate))
