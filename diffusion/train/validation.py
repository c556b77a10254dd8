"""Validation loss by mask share and by language.

The batches are fixed: same documents, holes and masks each time, at three mask shares (all of
the hole, half, a few tokens), so figures of one run compare with each other and with other runs
on the same corpus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from diffusion.data.batches import Batch, BatchConfig, DocumentSource, build_batch
from diffusion.data.shards import ShardSet
from diffusion.text.tokenizer import DEL, Tokenizer
from diffusion.train.objective import target_logits

MASK_SHARES = (1.0, 0.5, 0.15)
_ROWS_PER_BATCH = 8


@dataclass(frozen=True, slots=True)
class ValidationLoss:
    """Mean cross-entropy in nats per masked token (DEL not counted)."""

    by_share: dict[float, float]
    by_language: dict[str, float]
    accuracy_by_share: dict[float, float]

    @property
    def mean(self) -> float:
        """The average over mask shares: the figure that runs are compared by."""
        return sum(self.by_share.values()) / len(self.by_share)


class Validator:
    """Holds the fixed batches of a run."""

    def __init__(
        self, shards: ShardSet, tokenizer: Tokenizer, config: BatchConfig, rows: int
    ) -> None:
        self.languages: list[str] = []
        self._batches: list[tuple[float, Batch]] = []
        example = replace(config.example, plain_mlm=0.0)
        fixed = replace(
            config,
            rows=_ROWS_PER_BATCH,
            seed=20_261_123,
            example=example,
            language_weights=dict.fromkeys(shards.languages, 1.0),
        )
        source = DocumentSource(shards, tokenizer, fixed.language_weights)
        self.languages = source.languages
        for number in range(max(1, rows // _ROWS_PER_BATCH)):
            for share in MASK_SHARES:
                batch = build_batch(source, tokenizer, number, fixed, t=share)
                self._batches.append((share, batch))

    def measure(
        self, model: PreTrainedModel, autocast: AbstractContextManager[None], *, blind_context: bool
    ) -> ValidationLoss:
        """Run the model over the fixed batches. Leaves it in the mode it was in."""
        was_training = model.training
        model.eval()
        sums: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        device = next(model.parameters()).device
        with torch.inference_mode(), autocast:
            for share, batch in self._batches:
                for key, losses_M, right_M in _losses(
                    model, to_device(batch, device), self.languages, blind_context
                ):
                    for name in (key, share):
                        total = sums[name]
                        total[0] += float(losses_M.sum())
                        total[1] += float(right_M.sum())
                        total[2] += losses_M.numel()
        model.train(was_training)
        means = {k: (v[0] / v[2], v[1] / v[2]) for k, v in sums.items() if v[2]}
        return ValidationLoss(
            by_share={s: means[s][0] for s in MASK_SHARES if s in means},
            by_language={n: means[n][0] for n in self.languages if n in means},
            accuracy_by_share={s: means[s][1] for s in MASK_SHARES if s in means},
        )


def _losses(
    model: PreTrainedModel, batch: Batch, languages: list[str], blind_context: bool
) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    logits_MV = target_logits(model, batch, blind_context=blind_context).float()
    losses_M = functional.cross_entropy(logits_MV, batch.targets_M, reduction="none")
    right_M = logits_MV.argmax(-1) == batch.targets_M
    text_M = batch.targets_M != DEL
    for index, name in enumerate(languages):
        chosen_M = text_M & (batch.group_M == index)
        if chosen_M.any():
            yield name, losses_M[chosen_M], right_M[chosen_M]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A copy of `batch` with its tensors on `device`; itself when they are there already."""
    if batch.ids_BL.device == device:
        return batch
    return replace(
        batch,
        ids_BL=batch.ids_BL.to(device, non_blocking=True),
        positions_BL=batch.positions_BL.to(device, non_blocking=True),
        segments_BL=batch.segments_BL.to(device, non_blocking=True),
        target_index_M=batch.target_index_M.to(device, non_blocking=True),
        targets_M=batch.targets_M.to(device, non_blocking=True),
        weights_M=batch.weights_M.to(device, non_blocking=True),
        group_M=batch.group_M.to(device, non_blocking=True),
    )
