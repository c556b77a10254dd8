"""A step that reads only what changed: canvas tokens keep their keys and values between passes.

A pass of `CachingDenoiser.step` reads every token of every canvas. Most of them have not changed
since the pass before, nor has much of what they see. `KeptSlots` reads the slots whose logits are
wanted and the tokens that were put since they were last read; all others lend the keys and values
that they had then. It is the cache of dKV-Cache (Ma et al. 2025, arXiv 2505.15781) and of Fast-dLLM
(Wu et al. 2025, arXiv 2505.22618) for the canvas, beside the exact one for the context.

It is an approximation, as a token that is not read again does not learn of those put later;
docs/decisions/0021 has what it costs and saves. Invariants: the first pass, and one over canvases
that are not known, are those of `step`; what a pass says depends on the passes before it on this
hole and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diffusion.model.caching import CachingDenoiser, check_wanted
from diffusion.model.context_cache import ContextCache, KeptTokens, ReadPass


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A canvas as it was when its tokens were last read; they begin at `at` in what is kept."""

    ids: tuple[int, ...]
    at: int

    def changed(self, ids: Sequence[int]) -> int:
        """In how many places `ids`, of the same length, differs."""
        return sum(one != other for one, other in zip(self.ids, ids, strict=True))


class KeptSlots:
    """One hole's step function: what the process calls a `Denoise`. Not for several threads."""

    def __init__(self, denoiser: CachingDenoiser, cache: ContextCache, start_position: int) -> None:
        self._denoiser, self._cache, self._start = denoiser, cache, start_position
        self._canvases: list[_Canvas] = []
        self._kept: KeptTokens | None = None
        self.tokens_read = 0

    @torch.inference_mode()
    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor
    ) -> torch.Tensor:
        """As `BoundDenoiser`, but for what is told above."""
        valid_BN = check_wanted(ids_BN, lengths_B, wanted_BN)
        if not bool(wanted_BN.any()):
            return torch.empty(0, self._denoiser.vocab_size)
        device = self._denoiser.device
        row_S, column_S = valid_BN.nonzero().unbind(1)
        ids_S, wanted_S = ids_BN[valid_BN], wanted_BN[valid_BN]
        canvases = _canvases(ids_S.tolist(), lengths_B.tolist())
        known_S, source_S = self._known(canvases)
        fresh_S = wanted_S | ~known_S
        kept = None
        if self._kept is not None and not bool(fresh_S.all()):
            kept = self._kept.taken(source_S.to(device), fresh_S.to(device))
        sees_TS = row_S[fresh_S][:, None] == row_S[None, :]
        read = ReadPass(self._cache, sees_TS.to(device), kept)
        logits_MV = self._denoiser.read(
            read, ids_S[fresh_S], self._start + column_S[fresh_S], wanted_S[fresh_S]
        )
        self.tokens_read += int(fresh_S.sum())
        self._canvases, self._kept = canvases, KeptTokens(read.layers)
        return logits_MV

    def _known(self, canvases: Sequence[_Canvas]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of all tokens: whether the same one is kept, and where in what is kept."""
        known: list[bool] = []
        source: list[int] = []
        for canvas in canvases:
            alike = [one for one in self._canvases if len(one.ids) == len(canvas.ids)]
            if not alike:
                known += [False] * len(canvas.ids)
                source += [0] * len(canvas.ids)
                continue
            older = min(alike, key=lambda one: one.changed(canvas.ids))
            known += [a == b for a, b in zip(older.ids, canvas.ids, strict=True)]
            source += range(older.at, older.at + len(canvas.ids))
        return torch.tensor(known), torch.tensor(source)


def _canvases(ids: Sequence[int], lengths: Sequence[int]) -> list[_Canvas]:
    found: list[_Canvas] = []
    at = 0
    for length in lengths:
        found.append(_Canvas(tuple(ids[at : at + length]), at))
        at += length
    return found
