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
from diffusion.process.reading import call_denoiser
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, MASK


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
    """One judgement per canvas, in order. Raises SamplerError for NaN or a wrong shape."""
    rows: list[list[int]] = []
    wanted: list[list[int]] = []
    true_ids: list[int] = []
    places: list[tuple[int, int]] = []
    """Canvas, and index in its text, of every id in `true_ids`."""
    for number, canvas in enumerate(canvases):
        first = len(canvas.pins)
        expected = (*canvas.text, DEL)[: len(canvas.text) + (canvas.spare > 0)]
        for parity in (0, 1):
            row = [*canvas.pins, *canvas.text, *[DEL] * canvas.spare]
            masked = [i for i in range(canvas.given, len(expected)) if i % 2 == parity]
            for i in masked:
                row[first + i] = MASK
                if i == len(canvas.text):  # the DELs of a hole are one decision
                    row[first + i :] = [MASK] * canvas.spare
            rows.append(row)
            wanted.append([first + i for i in masked])
            true_ids += [expected[i] for i in masked]
            places += [(number, i) for i in masked]
    found: list[dict[int, float]] = [{} for _ in canvases]
    if places:
        logits_MV = call_denoiser(denoise, rows, wanted, vocabulary)
        true_M1 = torch.tensor(true_ids, device=logits_MV.device)[:, None]
        log_p_M = torch.log_softmax(logits_MV, dim=-1).gather(1, true_M1)[:, 0]
        if not bool(torch.isfinite(log_p_M).all()):
            raise SamplerError("the denoiser returned NaN", fix="use another model or float32")
        for (number, i), log_p in zip(places, log_p_M.tolist(), strict=True):
            found[number][i] = log_p
    return [
        Judgement(
            tuple(known[i] for i in range(canvas.given, len(canvas.text))),
            known[len(canvas.text)] if canvas.spare else 0.0,
        )
        for canvas, known in zip(canvases, found, strict=True)
    ]
