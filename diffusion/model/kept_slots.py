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
from diffusion.model.context_cache import ContextCache, LayerContext, ReadPass, joined


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
        self._kept = _KeptTokens(cache.tokens)
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
        self._canvases = []  # what is kept is of no use if this pass fails
        self._kept.begin(source_S, fresh_S, device)
        sees_TS = row_S[fresh_S][:, None] == row_S[None, :]
        logits_MV = self._denoiser.read(
            ReadPass(self._cache, sees_TS.to(device), self._kept.join),
            ids_S[fresh_S],
            self._start + column_S[fresh_S],
            wanted_S[fresh_S],
        )
        self.tokens_read += int(fresh_S.sum())
        self._canvases = canvases
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


class _KeptTokens:
    """Keys and values of a context and of canvas tokens, joined, layer by layer.

    The context is copied here once, not in every pass.
    """

    def __init__(self, context_tokens: int) -> None:
        self._context_tokens = context_tokens
        self._layers: list[LayerContext] = []
        self._tokens = 0
        self._source_K: torch.Tensor | None = None
        self._fresh_T = torch.empty(0)

    def begin(self, source_S: torch.Tensor, fresh_S: torch.Tensor, device: torch.device) -> None:
        """For a pass over S tokens: token s is number `source_S[s]` here, unless it is fresh."""
        context, tokens = self._context_tokens, len(source_S)
        self._fresh_T = (context + fresh_S.nonzero()[:, 0]).to(device)
        self._source_K = None
        if bool(fresh_S.all()):
            self._layers = []
        elif tokens != self._tokens or not torch.equal(source_S, torch.arange(tokens)):
            self._source_K = torch.cat((torch.arange(context), context + source_S)).to(device)
        self._tokens = tokens

    def join(self, number: int, context: LayerContext, read: LayerContext) -> LayerContext:
        """All that a layer's queries look at, what is read now among it."""
        if number == len(self._layers):
            self._layers.append(joined(number, context, read))
            return self._layers[-1]
        layer = self._layers[number]
        if self._source_K is not None:
            layer = LayerContext(
                layer.key_1HCD.index_select(2, self._source_K),
                layer.value_1HCD.index_select(2, self._source_K),
            )
            self._layers[number] = layer
        layer.key_1HCD.index_copy_(2, self._fresh_T, read.key_1HCD)
        layer.value_1HCD.index_copy_(2, self._fresh_T, read.value_1HCD)
        return layer


def _canvases(ids: Sequence[int], lengths: Sequence[int]) -> list[_Canvas]:
    found: list[_Canvas] = []
    at = 0
    for length in lengths:
        found.append(_Canvas(tuple(ids[at : at + length]), at))
        at += length
    return found
