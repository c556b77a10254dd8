"""From logits to proposals: what may stand in each slot, how likely, and how sure.

Here and nowhere else logits are masked: ids that no slot may hold, tokens that do not spell
the constraint, and DEL where the row may not end. Probabilities are therefore *given what is
allowed*. They are those at temperature 1 whatever the sampling temperature, so that scores
of bold and greedy rows compare.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diffusion.errors import SamplerError
from diffusion.process.denoiser import Denoise
from diffusion.process.row import Row
from diffusion.process.unmasking import Proposals
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, PAD

_FORBIDDEN = -1e9
"""Finite, so that entropies stay numbers; its probability is exactly 0."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """What the model says of the slots of one row that were looked at. Parallel tuples."""

    slots: tuple[int, ...]
    tokens: tuple[int, ...]
    log_p: tuple[float, ...]
    entropy: tuple[float, ...]
    logits_at: int
    """Index of the first of these slots in the logits of the step."""

    def proposals(self) -> Proposals:
        """What an order may choose from: all but DELs right of the leftmost slot."""
        kept = [i for i, token in enumerate(self.tokens) if i == 0 or token != DEL]
        return Proposals(
            slots=tuple(self.slots[i] for i in kept),
            p=tuple(math.exp(self.log_p[i]) for i in kept),
            entropy=tuple(self.entropy[i] for i in kept),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """One denoising pass, read. `log_p_MV` is over what is allowed."""

    rows: tuple[RowReading, ...]
    log_p_MV: torch.Tensor

    def ranked(self, at: int, count: int) -> list[tuple[int, float]]:
        """The `count` most probable (token, log p) at index `at` of the pass."""
        top = self.log_p_MV[at].topk(min(count, self.log_p_MV.shape[1]))
        return list(zip(top.indices.tolist(), top.values.tolist(), strict=True))


def call_denoiser(
    denoise: Denoise,
    rows: Sequence[list[int]],
    wanted: Sequence[Sequence[int]],
    vocabulary: Vocabulary,
) -> torch.Tensor:
    """Logits [M, V] of the `wanted` slots of each row of ids, forbidden ids taken out.

    Raises:
        SamplerError: the denoiser returned another shape than was asked for.
    """
    longest = max(map(len, rows))
    ids_BN = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
    lengths_B = torch.tensor([len(row) for row in rows])
    wanted_BN = torch.zeros(ids_BN.shape, dtype=torch.bool)
    for b, slots in enumerate(wanted):
        wanted_BN[b, list(slots)] = True
    logits_MV = denoise(ids_BN, lengths_B, wanted_BN)
    count = sum(map(len, wanted))
    if logits_MV.ndim != 2 or logits_MV.shape[0] != count or logits_MV.shape[1] < vocabulary.size:
        raise SamplerError(
            f"the denoiser returned logits of shape {tuple(logits_MV.shape)} where "
            f"({count}, >= {vocabulary.size}) was due",
            fix="use the tokenizer that the model was trained with",
        )
    logits_MV.index_fill_(1, vocabulary.forbidden_ids.to(logits_MV.device), _FORBIDDEN)
    logits_MV[:, vocabulary.size :] = _FORBIDDEN
    return logits_MV


def read_step(
    denoise: Denoise,
    rows: Sequence[Row],
    vocabulary: Vocabulary,
    *,
    window: int | None,
    entropy_above: float,
    top_p: float,
) -> Reading:
    """Run one pass over the masked slots in each row's window, and read it.

    Every row must have a masked slot, and a token that its constraint allows.

    Raises:
        SamplerError: the denoiser returned NaN, or logits of a wrong shape.
    """
    wanted = [row.window(window) for row in rows]
    logits_MV = call_denoiser(denoise, [row.ids for row in rows], wanted, vocabulary)
    starts: list[int] = []
    at = 0
    for row, slots in zip(rows, wanted, strict=True):
        starts.append(at)
        spellings = row.spellings(vocabulary)
        if spellings is not None:
            logits_V = logits_MV[at]
            allowed = logits_V[spellings]
            logits_V.fill_(_FORBIDDEN)
            logits_V[spellings] = allowed
        elif not row.may_end(slots[0]):
            logits_MV[at, DEL] = _FORBIDDEN
            if row.must_show():
                logits_MV[at].index_fill_(0, vocabulary.blank_ids.to(logits_MV.device), _FORBIDDEN)
        at += len(slots)

    log_p_MV = torch.log_softmax(logits_MV, dim=-1)
    token_M = _argmax(log_p_MV)
    log_p_M = log_p_MV.gather(1, token_M[:, None])[:, 0]
    for row, start, slots in zip(rows, starts, wanted, strict=True):
        if row.temperature > 0:
            drawn = slice(start, start + len(slots))
            token_M[drawn] = _draw(logits_MV[drawn], row, top_p)
            log_p_M[drawn] = log_p_MV[drawn].gather(1, token_M[drawn, None])[:, 0]
    entropy_M = torch.full_like(log_p_M, math.inf)
    certain_M = log_p_M.exp() > entropy_above
    if entropy_above < 1.0 and bool(certain_M.any()):
        log_p_SV = log_p_MV[certain_M]
        entropy_M[certain_M] = -(log_p_SV.exp() * log_p_SV).sum(dim=-1)

    tokens, log_ps, entropies = token_M.tolist(), log_p_M.tolist(), entropy_M.tolist()
    if any(map(math.isnan, log_ps)):
        raise SamplerError(
            "the denoiser returned NaN", fix="the model's weights are damaged: reinstall the model"
        )
    readings: list[RowReading] = []
    for start, slots in zip(starts, wanted, strict=True):
        drawn = slice(start, start + len(slots))
        readings.append(
            RowReading(
                tuple(slots),
                tuple(tokens[drawn]),
                tuple(log_ps[drawn]),
                tuple(entropies[drawn]),
                start,
            )
        )
    return Reading(tuple(readings), log_p_MV)


def _argmax(values_MV: torch.Tensor) -> torch.Tensor:
    """Index of the largest value per row; of a NaN if there is one.

    By numpy on the CPU, whose vectorised argmax takes a tenth of torch's time there, and half
    the time of the whole reading with it.
    """
    if values_MV.device.type == "cpu":
        return torch.from_numpy(values_MV.numpy().argmax(axis=-1))
    return values_MV.argmax(dim=-1)


def _draw(logits_SV: torch.Tensor, row: Row, top_p: float) -> torch.Tensor:
    """One token per slot from the nucleus `top_p` at the row's temperature.

    In float64: low-precision sampling noise visibly spoils samples (ReMDM).
    """
    p_SV = torch.softmax(logits_SV.cpu().double() / row.temperature, dim=-1)
    if top_p < 1.0:
        sorted_SV, order_SV = p_SV.sort(dim=-1, descending=True)
        outside_SV = sorted_SV.cumsum(dim=-1) - sorted_SV >= top_p
        p_SV = torch.zeros_like(p_SV).scatter_(1, order_SV, sorted_SV.masked_fill(outside_SV, 0.0))
    drawn_S = torch.multinomial(p_SV, 1, generator=row.generator)[:, 0]
    return drawn_S.to(logits_SV.device)
