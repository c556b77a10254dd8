"""Denoisers for models that were trained in a way that serving does not have.

Job: let the ordinary facade fill holes with a model of an ablation, so that every row of an
ablation is sampled by the same code. `FullAttentionDenoiser` lets the context see the canvas, at
the price of the whole sequence at every step: there is nothing to cache. `GapDenoiser` puts the
text after the hole at another distance.

For measuring only: neither is ever served.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from diffusion.cancel import CancelToken
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.caching import BoundDenoiser
from diffusion.model.context_cache import ContextCache
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.text.canvas import GAP


@dataclass(frozen=True, slots=True, eq=False)
class _RememberedContext(ContextCache):
    """A context that is kept as it is, to be run again at every step."""

    ids_1C: torch.Tensor


class FullAttentionDenoiser(MaskedLMDenoiser):
    """Everything sees everything: the usual masked LM, context included."""

    def encode_context(
        self,
        ids_1C: torch.Tensor,
        positions_1C: torch.Tensor,
        cancel: CancelToken | None = None,
    ) -> ContextCache:
        """Keeps the context; it cannot be encoded without its canvas."""
        self.positions.check(int(positions_1C.max()))
        return _RememberedContext((), positions_1C.to(self.device), ids_1C.to(self.device))

    def bind(self, cache: ContextCache, start_position: int) -> BoundDenoiser:
        """See `MaskedLMDenoiser.bind`; `cache` must be one of this class's."""
        assert isinstance(cache, _RememberedContext), "a context of another denoiser"
        return super().bind(cache, start_position)

    @torch.no_grad()
    def step(
        self,
        cache: ContextCache,
        start_position: int,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        wanted_BN: torch.Tensor,
    ) -> torch.Tensor:
        """Logits [M, V] float32 of the wanted positions, from one pass over all of each row."""
        assert isinstance(cache, _RememberedContext), "a context of another denoiser"
        rows, slots = ids_BN.shape
        column_N = torch.arange(slots, device=self.device)
        valid_BN = column_N < lengths_B.to(self.device)[:, None]
        seen_BL = torch.nn.functional.pad(valid_BN, (cache.tokens, 0), value=True)
        positions_L = torch.cat((cache.positions_1C[0], column_N + start_position))
        self.positions.check(int(positions_L.max()))
        length = cache.tokens + slots
        output = trunk(self.model)(
            input_ids=torch.cat((cache.ids_1C.expand(rows, -1), ids_BN.to(self.device)), dim=1),
            position_ids=(positions_L + self.positions.offset).expand(rows, -1),
            attention_mask=seen_BL[:, None, None, :].expand(rows, 1, length, length),
        )
        canvas_BND = output.last_hidden_state[:, cache.tokens :]
        return head_logits(self.model, canvas_BND[wanted_BN.to(self.device)]).float()


class GapDenoiser(MaskedLMDenoiser):
    """One hole that takes `gap` positions."""

    def __init__(self, model: PreTrainedModel, gap: int) -> None:
        super().__init__(model)
        self._extra = gap - GAP

    def encode_context(
        self,
        ids_1C: torch.Tensor,
        positions_1C: torch.Tensor,
        cancel: CancelToken | None = None,
    ) -> ContextCache:
        """Encodes a context with one hole at most, what follows it moved."""
        after_1C = torch.zeros_like(positions_1C)
        after_1C[:, 1:] = (positions_1C.diff(dim=1) > 1).cumsum(dim=1)
        return super().encode_context(ids_1C, positions_1C + after_1C * self._extra, cancel)
