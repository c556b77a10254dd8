"""Batch in, loss out: the forward pass that every kind of training shares.

The head runs at the predicted positions only; at a 16k vocabulary it would otherwise cost as much
as the trunk.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from diffusion.data.batches import Batch
from diffusion.model.architecture import head_decoder, head_features, trunk
from diffusion.model.partition import partition_mask
from diffusion.train.attention import ROWWISE, additive_mask, training_attention
from diffusion.train.flex import FLEX, partition_blocks
from diffusion.train.head_loss import head_loss


def target_features(
    model: PreTrainedModel,
    batch: Batch,
    *,
    blind_context: bool = True,
    attention: str | None = None,
) -> Tensor:
    """What the vocabulary projection reads at the M predicted positions of `batch`, [M, D].

    `attention` names a registered attention function instead of the device's own.
    """
    device = batch.segments_BL.device
    attention = attention or training_attention(device)
    if model.config._attn_implementation != attention:
        model.set_attn_implementation(attention)
    rules = {"blind_context": blind_context, "causal": batch.causal}
    mask: Any
    if attention == FLEX:
        mask = partition_blocks(batch.segments_BL, **rules)
    else:
        mask = partition_mask(batch.segments_BL, **rules)
        if attention == ROWWISE:
            mask = additive_mask(mask, compute_dtype(device))
    hidden_BLD = trunk(model)(
        input_ids=batch.ids_BL, attention_mask=mask, position_ids=batch.positions_BL
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


def compile_layers(model: PreTrainedModel) -> None:
    """Compile each encoder layer in place: one short compilation, since all are alike."""
    layers: Any = trunk(model).layers
    for layer in layers:
        layer.compile(dynamic=False)


class Objective(torch.nn.Module):
    """The model together with its loss, so that DDP and compile see one forward pass."""

    def __init__(
        self, model: PreTrainedModel, *, blind_context: bool = True, attention: str | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.blind_context = blind_context
        self.attention = attention

    def forward(self, batch: Batch, total_weight: Tensor) -> Tensor:
        """The batch's weighted cross-entropy in nats over `total_weight`, a scalar.

        With `total_weight` the sum of the batch's weights, this is the mean loss of a token.
        """
        features_MD = target_features(
            self.model, batch, blind_context=self.blind_context, attention=self.attention
        )
        decoder = head_decoder(self.model)
        return head_loss(
            features_MD, decoder.weight, decoder.bias, batch.targets_M,
            batch.weights_M / total_weight, dtype=compute_dtype(features_MD.device),
        )  # fmt: skip
