"""The document's votes for several holes: what one hole says votes in the others.

Job: `process.copying` for a draft. The document of a draft is its text around the holes with what
its canvases hold so far in between; a phrase begun in one hole can so be copied from another.

Invariant: votes of a draft depend on that draft and the document alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from diffusion.process.copying import LONGEST_MATCH, CopyIndex, CopyingDenoiser, CopyWeights
from diffusion.process.joint import JointDenoise
from diffusion.text.tokenizer import DEL, MASK


class JointCopying:
    """A `JointDenoise` that mixes votes into another's probabilities."""

    def __init__(
        self,
        denoise: JointDenoise,
        pieces: Sequence[Sequence[int]],
        weights: CopyWeights,
        line_ends: frozenset[int],
    ) -> None:
        """`pieces`: tokens before the first canvas, between two of them, after the last."""
        self._denoise = denoise
        self._pieces = [list(piece) for piece in pieces]
        self._weights = weights
        self._line_ends = line_ends

    def __call__(
        self,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
        holes_B: torch.Tensor,
        drafts_B: torch.Tensor,
    ) -> torch.Tensor:
        """Log-probabilities of the mixture at the wanted positions, [M, V]."""
        log_p_MV = torch.log_softmax(
            self._denoise(ids_BN, lengths_B, wanted_BN, holes_B, drafts_B), dim=-1
        )
        rows = [
            row[:length] for row, length in zip(ids_BN.tolist(), lengths_B.tolist(), strict=True)
        ]
        holes, drafts = holes_B.tolist(), drafts_B.tolist()
        streams = {
            draft: self._streams({h: r for h, r, d in zip(holes, rows, drafts, strict=True)
                                  if d == draft})
            for draft in set(drafts)
        }  # fmt: skip
        indexes: dict[tuple[int, int], CopyIndex] = {}
        at = 0
        for row, hole, draft, wanted in zip(rows, holes, drafts, wanted_BN.tolist(), strict=True):
            slots = [slot for slot, flag in enumerate(wanted) if flag]
            if not slots:
                continue
            if (draft, hole) not in indexes:
                indexes[draft, hole] = CopyIndex(streams[draft], ending=self._pieces[hole + 1])
            before = self._pieces[hole][-LONGEST_MATCH:]
            votes = CopyingDenoiser(
                None, indexes[draft, hole], self._weights, before, self._line_ends
            )
            votes.add_votes(log_p_MV[at : at + len(slots)], [(row, slot) for slot in slots])
            at += len(slots)
        return log_p_MV

    def _streams(self, canvases: dict[int, list[int]]) -> list[list[int]]:
        """The document of a draft, broken where a canvas is still open."""
        streams = [list(self._pieces[0])]
        for hole, piece in enumerate(self._pieces[1:]):
            for token in canvases[hole]:
                if token == DEL:
                    break
                if token != MASK:
                    streams[-1].append(token)
                elif streams[-1]:
                    streams.append([])
            streams[-1].extend(piece)
        return [stream for stream in streams if stream]
