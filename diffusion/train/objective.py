"""Batch in, loss out: the forward pass that every kind of training shares.

The head runs at the masked positions only; at a 16k vocabulary it would otherwise cost as much as
the trunk.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from diffusion.data.batches import Batch
from diffusion.model.architecture import head_logits, trunk
from diffusion.model.partition import partition_mask
from diffusion.process.loss import masked_token_loss


def target_logits(model: PreTrainedModel, batch: Batch, *, blind_context: bool = True) -> Tensor:
    """Logits [M, V] at the masked positions of `batch`."""
    mask_B1LL = partition_mask(batch.segments_BL, blind_context=blind_context)
    hidden_BLD = trunk(model)(
        input_ids=batch.ids_BL, attention_mask=mask_B1LL, position_ids=batch.positions_BL
    ).last_hidden_state
    hidden_MD = hidden_BLD.flatten(0, 1).index_select(0, batch.target_index_M)
    return head_logits(model, hidden_MD)


class Objective(torch.nn.Module):
    """The model together with its loss, so that DDP and compile see one forward pass."""

    def __init__(self, model: PreTrainedModel, *, blind_context: bool = True) -> None:
        super().__init__()
        self.model = model
        self.blind_context = blind_context

    def forward(self, batch: Batch) -> Tensor:
        """Mean loss of the batch in nats per masked token, a scalar."""
        logits_MV = target_logits(self.model, batch, blind_context=self.blind_context)
        return masked_token_loss(logits_MV, batch.targets_M, batch.weights_M)
