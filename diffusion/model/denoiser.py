"""Turns any Hugging Face masked LM into a denoiser with an exact context cache.

`uncached` computes the logits of a step in one masked forward pass through transformers' own
attention and exists to be compared with. The invariants are `diffusion.model.caching`'s.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import PreTrainedModel

from diffusion.errors import ModelError
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.attention import ATTENTION, PASS
from diffusion.model.caching import CachingDenoiser, PositionRange
from diffusion.model.context_cache import Pass, ReadPass, WritingPass


def position_range(model: PreTrainedModel) -> PositionRange:
    """Reads the embedding table, if there is one. RoBERTa's starts after its padding row."""
    embeddings = getattr(trunk(model), "embeddings", None)
    table = getattr(embeddings, "position_embeddings", None)
    if not isinstance(table, nn.Embedding):
        return PositionRange()
    offset = 0 if table.padding_idx is None else table.padding_idx + 1
    return PositionRange(offset=offset, limit=table.num_embeddings - offset)


class MaskedLMDenoiser(CachingDenoiser):
    """A masked LM that denoises canvases on a cached context.

    Puts the model in eval mode and sets its attention implementation; the model still works as
    an ordinary masked LM afterwards.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        """Raises ModelError if the model's attention cannot be taken over."""
        name = type(model).__name__
        if not model._supports_attention_backend:
            raise ModelError(
                f"{name} does not let its attention be replaced",
                fix="use a ModernBERT, BERT, RoBERTa or DistilBERT masked LM",
            )
        if "sliding_attention" in (getattr(model.config, "layer_types", None) or ()):
            raise ModelError(
                f"{name} has sliding-window layers, which cannot see across the canvas's gap",
                fix="convert it first: set every entry of layer_types to full_attention and tune",
            )
        model.eval()
        model.set_attn_implementation(ATTENTION)
        self.model = model
        self.positions = position_range(model)
        self._trunk = trunk(model)

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def vocab_size(self) -> int:
        return int(self.model.config.vocab_size)

    def _write(self, ids_T: torch.Tensor, positions_T: torch.Tensor, write: WritingPass) -> None:
        self._hidden(ids_T, positions_T, write)

    def _wanted(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, read: ReadPass, wanted_T: torch.Tensor
    ) -> torch.Tensor:
        return self._hidden(ids_T, positions_T, read)[wanted_T]

    def _hidden(
        self, ids_T: torch.Tensor, positions_T: torch.Tensor, under_way: Pass
    ) -> torch.Tensor:
        output = self._trunk(
            input_ids=ids_T[None], position_ids=positions_T[None], **{PASS: under_way}
        )
        hidden_TD: torch.Tensor = output.last_hidden_state[0]
        return hidden_TD

    def _logits(self, hidden_MD: torch.Tensor) -> torch.Tensor:
        return head_logits(self.model, hidden_MD).float()

    @torch.inference_mode()
    def uncached(
        self,
        context_ids_1C: torch.Tensor,
        context_positions_1C: torch.Tensor,
        ids_BN: torch.Tensor,
        lengths_B: torch.Tensor,
        start_position: int,
    ) -> torch.Tensor:
        """The same logits without a cache: one padded forward pass under a 4-d mask.

        Returns logits [B, N, V] float32 at every canvas position (meaningless at padding).
        """
        rows, slots = ids_BN.shape
        context = context_ids_1C.shape[1]
        column_N = torch.arange(slots, device=self.device)
        valid_BN = column_N < lengths_B.to(self.device)[:, None]
        mask_BLL = torch.zeros(
            rows, context + slots, context + slots, dtype=torch.bool, device=self.device
        )
        mask_BLL[:, :, :context] = True
        mask_BLL[:, context:, context:] = valid_BN[:, None, :]
        positions_L = torch.cat(
            (context_positions_1C[0].to(self.device), column_N + start_position)
        )
        self.positions.check(int(positions_L.max()))
        output = self._trunk(
            input_ids=torch.cat((context_ids_1C.expand(rows, -1), ids_BN), dim=1).to(self.device),
            position_ids=(positions_L + self.positions.offset).expand(rows, -1),
            attention_mask=mask_BLL[:, None],
        )
        return head_logits(self.model, output.last_hidden_state[:, context:]).float()
