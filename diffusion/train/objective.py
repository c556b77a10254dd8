"""Batch in, loss out: the forward pass that every kind of training shares.

The head runs at the predicted positions only; at a 16k vocabulary it would otherwise cost as much
as the trunk.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedModel

from diffusion.data.batches import Batch
from diffusion.model.architecture import head_decoder, head_features, trunk
from diffusion.model.partition import partition_mask
from diffusion.train.attention import ROWWISE, additive_mask, training_attention
from diffusion.train.head_loss import head_loss


def target_features(model: PreTrainedModel, batch: Batch, *, blind_context: bool = True) -> Tensor:
    """What the vocabulary projection reads at the M predicted positions of `batch`, [M, D]."""
    device = batch.segments_BL.device
    attention = training_attention(device)
    if model.config._attn_implementation != attention:
        model.set_attn_implementation(attention)
    mask_B1LL = partition_mask(
        batch.segments_BL, blind_context=blind_context, causal=batch.causal
    )
    if attention == ROWWISE:
        mask_B1LL = additive_mask(mask_B1LL, compute_dtype(device))
    hidden_BLD = trunk(model)(
        input_ids=batch.ids_BL, attention_mask=mask_B1LL, position_ids=batch.positions_BL
    ).last_hidden_state
    return head_features(model, hidden_BLD.flatten(0, 1).index_select(0, batch.target_index_M))


def target_logits(model: PreTrainedModel, batch: Batch, *, blind_context: bool = True) -> Tensor:
    """Logits [M, V] at the predicted positions of `batch`."""
    features_MD = target_features(model, batch, blind_context=blind_context)
    logits_MV: Tensor = head_decoder(model)(features_MD)
    return logits_MV


def compute_dtype(device: torch.device) -> torch.dtype:
    """The dtype of matrix products: autocast's where it is on, float32 elsewhere."""
    if torch.is_autocast_enabled(device.type):
        return torch.get_autocast_dtype(device.type)
    return torch.float32


class Objective(torch.nn.Module):
    """The model together with its loss, so that DDP and compile see one forward pass."""

    def __init__(self, model: PreTrainedModel, *, blind_context: bool = True) -> None:
        super().__init__()
        self.model = model
        self.blind_context = blind_context

    def forward(self, batch: Batch, total_weight: Tensor) -> Tensor:
        """The batch's weighted cross-entropy in nats over `total_weight`, a scalar.

        With `total_weight` the sum of the batch's weights, this is the mean loss of a token.
        """
        features_MD = target_features(self.model, batch, blind_context=self.blind_context)
        decoder = head_decoder(self.model)
        return head_loss(
            features_MD, decoder.weight, decoder.bias, batch.targets_M,
            batch.weights_M / total_weight, dtype=compute_dtype(features_MD.device),
        )  # fmt: skip
