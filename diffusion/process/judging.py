"""How probable a finished text is to the model: every token seen from both sides.

A masked LM can judge what it did not write. Each canvas is looked at twice in one pass, with the
slots of even and of odd index masked in turn, so that every token is predicted from half of the
others: pseudo-log-likelihood (Salazar et al., 2020, "Masked Language Model Scoring") at a mask
share that training knows, for the price of two rows instead of one row for every token.

Invariants: one call of the denoiser; canvases do not influence each other; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diffusion.errors import SamplerError
from diffusion.process.denoiser import Denoise
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, MASK, PAD

_FORBIDDEN = -1e9


@dataclass(frozen=True, slots=True)
class FilledCanvas:
    """A canvas to be judged: pins, then `text` in slots, then DEL for `spare` slots.

    `given`: how many of the first text tokens are known beforehand; they are not judged.
    """

    pins: tuple[int, ...]
    text: tuple[int, ...]
    spare: int = 0
    given: int = 0

    def __post_init__(self) -> None:
        if not self.text:
            raise SamplerError("a canvas without text cannot be judged", fix="leave it out")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Log-probabilities in nats. `end_log_p`: of the DEL behind the text; 0 without one."""

    log_p: tuple[float, ...]
    end_log_p: float

    @property
    def mean_log_p(self) -> float:
        """Over the judged tokens; 0 if there were none."""
        return sum(self.log_p) / len(self.log_p) if self.log_p else 0.0

    @property
    def min_log_p(self) -> float:
        """Of the least probable token."""
        return min(self.log_p, default=0.0)


@torch.inference_mode()
def judge(
    denoise: Denoise, canvases: Sequence[FilledCanvas], vocabulary: Vocabulary
) -> list[Judgement]:
    """One judgement per canvas, in order."""
    if not canvases:
        return []
    longest = max(len(c.pins) + len(c.text) + c.spare for c in canvases)
    rows: list[list[int]] = []
    wanted: list[tuple[int, int, int, int]] = []
    """Canvas, index in its text, row, place in the row."""
    for number, canvas in enumerate(canvases):
        first = len(canvas.pins)
        judged = range(canvas.given, len(canvas.text) + (canvas.spare > 0))
        for parity in (0, 1):
            row = [*canvas.pins, *canvas.text, *[DEL] * canvas.spare]
            for i in judged:
                if i % 2 != parity:
                    continue
                wanted.append((number, i, len(rows), first + i))
                if i < len(canvas.text):
                    row[first + i] = MASK
                else:  # the DELs of a hole are one decision
                    row[first + i :] = [MASK] * canvas.spare
            rows.append(row)
    log_p_M = _log_p(denoise, rows, longest, wanted, canvases, vocabulary)
    found: list[dict[int, float]] = [{} for _ in canvases]
    for (number, i, _, _), log_p in zip(wanted, log_p_M, strict=True):
        found[number][i] = log_p
    return [
        Judgement(
            tuple(known[i] for i in range(canvas.given, len(canvas.text))),
            known[len(canvas.text)] if canvas.spare else 0.0,
        )
        for canvas, known in zip(canvases, found, strict=True)
    ]


def _log_p(
    denoise: Denoise,
    rows: Sequence[Sequence[int]],
    longest: int,
    wanted: Sequence[tuple[int, int, int, int]],
    canvases: Sequence[FilledCanvas],
    vocabulary: Vocabulary,
) -> list[float]:
    """Log-probabilities of the true tokens at the wanted places, which are in row-major order."""
    if not wanted:
        return []
    ids_BN = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
    wanted_BN = torch.zeros(ids_BN.shape, dtype=torch.bool)
    wanted_BN[[row for _, _, row, _ in wanted], [place for *_, place in wanted]] = True
    logits_MV = denoise(ids_BN, torch.tensor([len(row) for row in rows]), wanted_BN)
    logits_MV.index_fill_(1, vocabulary.forbidden_ids.to(logits_MV.device), _FORBIDDEN)
    logits_MV[:, vocabulary.size :] = _FORBIDDEN
    true_M = torch.tensor([(*canvases[number].text, DEL)[i] for number, i, _, _ in wanted])
    picked_M1 = torch.log_softmax(logits_MV, dim=-1).gather(1, true_M[:, None].to(logits_MV.device))
    if not bool(torch.isfinite(picked_M1).all()):
        raise SamplerError("the denoiser returned NaN", fix="use another model or float32")
    return list(map(float, picked_M1[:, 0].tolist()))
