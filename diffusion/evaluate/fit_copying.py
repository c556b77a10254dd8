"""Fits how much the document's own phrases count beside the model (`process.copying`).

On holes of validation text, every token of the middle is predicted with all before it known, as
the sampler does from the left: once by the model, once by the votes. For each bucket of votes the
best share in the mixture is found by expectation maximisation, which for one weight and two fixed
parts climbs to the one optimum of the likelihood. What the mixture is worth is cross-validated: no
token is judged with weights that were fitted to it, or to another hole of its document.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from diffusion.evaluate.cases import Case, to_bytes
from diffusion.evaluate.groups import folds_of, groups_of
from diffusion.infill import Infiller, InfillRequest
from diffusion.process.copying import CopyWeights
from diffusion.text.canvas import canvas_ids
from diffusion.text.implied_newline import implied_newline
from diffusion.text.tokenizer import DEL, MASK

_ROUNDS = 200
_FEWEST = 20
_MOST_SHARE = 0.98
_LONGEST_MIDDLE = 48
_SPARE_SLOTS = 3
_FOLDS = 5

Prediction = tuple[tuple[int, int] | None, float, float]
"""Of a token: the bucket of the votes (None: there are none), its probability by the model and by
the votes."""


@dataclass(frozen=True, slots=True)
class CopyFit:
    """Weights, and the mean negative log-likelihood of a token in nats without and with votes.

    `nats_after` is with weights that are fitted to the other documents.
    """

    weights: CopyWeights
    tokens: int
    nats_before: float
    nats_after: float


def fit_copying(infiller: Infiller, cases: Iterable[Case]) -> CopyFit:
    """Fit the weights of `infiller`'s model to `cases` of validation text."""
    found, known = [], []
    for case in cases:
        found.append(_predictions(infiller, case))
        known.append({"task_id": case.task_id, "group": case.group})
    weights = fitted(found)
    before = [p for predictions in found for _, p, _ in predictions]
    after = mixed(found, folds_of(groups_of(known), _FOLDS))
    return CopyFit(weights, len(before), _nats(before), _nats(after))


def fitted(cases: Iterable[Sequence[Prediction]]) -> CopyWeights:
    """The best weights for the predictions of some cases."""
    pairs: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for predictions in cases:
        for bucket, p_model, p_votes in predictions:
            if bucket is not None:
                pairs[bucket].append((p_model, p_votes))
    shares = {bucket: _best_share(found) for bucket, found in pairs.items()}
    table = tuple(
        tuple(round(shares.get((r, c), 0.0), 4) for c in range(len(row)))
        for r, row in enumerate(CopyWeights().table)
    )
    return CopyWeights(table)


def mixed(cases: Sequence[Sequence[Prediction]], folds: Sequence[int]) -> list[float]:
    """The probability of every token, with weights fitted to the cases of other folds."""
    weights = {
        fold: fitted(case for case, at in zip(cases, folds, strict=True) if at != fold)
        for fold in set(folds)
    }
    return [
        p_model if bucket is None else _mixture(weights[fold], bucket, p_model, p_votes)
        for predictions, fold in zip(cases, folds, strict=True)
        for bucket, p_model, p_votes in predictions
    ]


def _mixture(
    weights: CopyWeights, bucket: tuple[int, int], p_model: float, p_votes: float
) -> float:
    share = weights.table[bucket[0]][bucket[1]]
    return (1 - share) * p_model + share * p_votes


def _predictions(infiller: Infiller, case: Case) -> list[Prediction]:
    """Every token of a case's middle, predicted."""
    text, cursor = case.text_without_middle, case.cursor
    site = infiller.open(InfillRequest(text, cursor, case.language))
    # A line end that the insertion implies is no part of the canvas.
    middle = to_bytes(case.middle).removesuffix(implied_newline(text, cursor))
    true_ids = site.placement.slots_needed(infiller.tokenizer, middle)
    if not 0 < len(true_ids) <= _LONGEST_MIDDLE:
        return []
    pins = site.placement.pins
    slots = canvas_ids(pins, min(len(true_ids) + _SPARE_SLOTS, site.room))
    targets = (*true_ids, DEL)[: len(slots) - len(pins)]
    first = 1 if site.placement.constraint else 0  # the sampler restricts the healed slot
    rows = []
    for i in range(first, len(targets)):
        filled = (*pins, *true_ids[:i])
        rows.append(filled + (MASK,) * (len(slots) - len(filled)))
    if not rows:
        return []
    ids_BN = torch.tensor(rows)
    wanted_BN = torch.zeros(ids_BN.shape, dtype=torch.bool)
    at = [len(pins) + i for i in range(first, len(targets))]
    wanted_BN[range(len(rows)), at] = True
    lengths_B = torch.full((len(rows),), len(slots))
    p_BV = torch.softmax(site.model(ids_BN, lengths_B, wanted_BN), dim=-1)
    found: list[Prediction] = []
    for b, (row, slot, target) in enumerate(zip(rows, at, targets[first:], strict=True)):
        votes = site.copying.votes(row, slot)
        p_model = float(p_BV[b, target])
        if votes is None:
            found.append((None, p_model, 0.0))
        else:
            found.append((votes.bucket, p_model, votes.share_of(target)))
    return found


def _best_share(pairs: list[tuple[float, float]]) -> float:
    if len(pairs) < _FEWEST:
        return 0.0
    share = 0.5
    for _ in range(_ROUNDS):
        kept = [share * q / max((1 - share) * p + share * q, 1e-12) for p, q in pairs]
        share = min(sum(kept) / len(kept), _MOST_SHARE)
    return share if share > 1e-3 else 0.0


def _nats(probabilities: list[float]) -> float:
    return -sum(math.log(max(p, 1e-12)) for p in probabilities) / max(len(probabilities), 1)
