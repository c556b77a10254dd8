"""Validation loss by mask share and by language.

The batches are fixed: same documents, holes and masks each time, at three mask shares (all of
the hole, half, a few tokens), so figures of one run compare with each other and with other runs
on the same corpus.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from diffusion.data.batches import Batch, BatchConfig, collate, to_device
from diffusion.data.document_source import DocumentSource
from diffusion.data.examples import Example
from diffusion.data.shards import ShardSet
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, Tokenizer
from diffusion.train.objective import target_logits

MASK_SHARES = (1.0, 0.5, 0.15)
_NEXT_ONLY = 0.01  # whatever stands behind a mask is too faint to be scored
_ROWS_PER_BATCH = 8
_SMALLEST_WINDOW = 64


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


def as_sampled(config: BatchConfig) -> BatchConfig:
    """Batches that ask what the sampler asks: all up to a slot is there, and it is predicted.

    The mask share says how far left the slot is.
    """
    noise = replace(
        config.example.noise, left_contiguous=1.0, known_length=0.0, nearness=_NEXT_ONLY
    )
    return replace(config, example=replace(config.example, noise=noise))


class Validator:
    """Holds the fixed batches of a run.

    All languages count alike or, `by_tokens`, as much as there is of them.
    """

    def __init__(
        self,
        shards: ShardSet,
        tokenizer: Tokenizer,
        config: BatchConfig,
        rows: int,
        *,
        by_tokens: bool = False,
    ) -> None:
        self.languages: list[str] = []
        self._batches: list[tuple[float, Batch]] = []
        example = replace(config.example, plain_mlm=0.0)
        fixed = replace(
            config,
            rows=_ROWS_PER_BATCH,
            seed=20_261_123,
            example=example,
        )
        weights = {} if by_tokens else dict.fromkeys(shards.languages, 1.0)
        source = DocumentSource(shards, tokenizer, weights)
        self.languages = source.languages
        for number in range(max(1, rows // _ROWS_PER_BATCH)):
            # Left to right there is no mask share: what comes next is unknown, all of it.
            for share in MASK_SHARES[:1] if config.causal else MASK_SHARES:
                batch = _fixed_batch(source, tokenizer, number, fixed, share)
                self._batches.append((share, batch))

    def measure(
        self,
        model: PreTrainedModel,
        autocast: AbstractContextManager[None],
        *,
        blind_context: bool,
        on_batch: Callable[[], None] = lambda: None,
    ) -> ValidationLoss:
        """Run the model over the fixed batches. Leaves it in the mode it was in, however it ends.

        `on_batch` is called before each; what it raises ends the measurement.
        """
        was_training = model.training
        model.eval()
        sums: dict[object, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        device = next(model.parameters()).device
        try:
            with torch.inference_mode(), autocast:
                for share, batch in self._batches:
                    on_batch()
                    for key, losses_M, right_M in _losses(
                        model, to_device(batch, device), self.languages, blind_context
                    ):
                        for name in (key, share):
                            total = sums[name]
                            total[0] += float(losses_M.sum())
                            total[1] += float(right_M.sum())
                            total[2] += losses_M.numel()
        finally:
            model.train(was_training)
        means = {k: (v[0] / v[2], v[1] / v[2]) for k, v in sums.items() if v[2]}
        return ValidationLoss(
            by_share={s: means[s][0] for s in MASK_SHARES if s in means},
            by_language={n: means[n][0] for n in self.languages if n in means},
            accuracy_by_share={s: means[s][1] for s in MASK_SHARES if s in means},
        )


def _fixed_batch(
    source: DocumentSource, tokenizer: Tokenizer, number: int, config: BatchConfig, t: float
) -> Batch:
    """Batch `number` at mask share `t`: whole documents, and as all runs so far have drawn it."""
    rng = random.Random(f"{config.seed}/{number}")
    rows = []
    for _ in range(config.rows):
        examples: list[Example] = []
        room = config.row_tokens
        for _ in range(8):
            if room < _SMALLEST_WINDOW:
                break
            language, data, window = source.window(rng, int(room * 0.92) - 8)
            if window[1] - window[0] < 16:
                continue
            tree = SyntaxTree.parse(data, language)
            example = config.example.build(tokenizer, tree, data, window, language, rng)
            if len(example.ids) <= room:
                examples.append(example)
                room -= len(example.ids)
        rows.append(
            [(e, config.example.targets(e, rng, causal=config.causal, t=t)) for e in examples]
        )
    return collate(rows, config.row_tokens, source.languages, causal=config.causal)


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
