"""Training batches: documents drawn from the shards, cut into windows, packed into rows.

Job: step number in, tensors out. Batch `n` is a pure function of (seed, n), so a run resumes at
any step with no state of the data to restore, and workers split the steps between them.

Invariant: a row is at most `row_tokens` long; examples never cross rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from diffusion.data.examples import (
    Example,
    ExampleConfig,
    NoisedExample,
)
from diffusion.data.shards import ShardSet
from diffusion.errors import CorpusError
from diffusion.model.partition import PAD_SEGMENT, SEGMENTS_PER_DOCUMENT
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import PAD, Tokenizer

_SMALLEST_WINDOW = 64  # tokens; a smaller rest of a row is padded


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """Shape of a batch and where its documents come from."""

    rows: int = 16
    row_tokens: int = 512
    seed: int = 0
    language_weights: Mapping[str, float] = field(default_factory=dict)
    """Relative weight of each language; without an entry, its share of the corpus."""
    example: ExampleConfig = field(default_factory=ExampleConfig)
    causal: bool = False
    """Left to right: nothing is masked, every token predicts the next one."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step. M targets are addressed by flat index into the B x L rows."""

    ids_BL: Tensor
    positions_BL: Tensor
    segments_BL: Tensor
    target_index_M: Tensor
    targets_M: Tensor
    weights_M: Tensor
    group_M: Tensor
    """Index of the language of each target, into `languages`."""
    tokens: int
    """Tokens that are not padding."""
    causal: bool = False
    """Each target is the token after its index, and nothing may look further right."""


class DocumentSource:
    """Draws windows of documents, each token of a language being equally likely."""

    def __init__(
        self, shards: ShardSet, tokenizer: Tokenizer, weights: Mapping[str, float]
    ) -> None:
        self._shards = shards
        self._tokenizer = tokenizer
        self.languages = [name for name in shards.languages if len(shards[name])]
        if not self.languages:
            raise CorpusError("the corpus has no documents; run `diffill corpus build` first")
        self._ends = {name: np.cumsum(shards[name].lengths()) for name in self.languages}
        self._weights = [
            weights.get(name, 1.0 if weights else float(self._ends[name][-1]))
            for name in self.languages
        ]
        self._token_length = np.array(
            [len(tokenizer.token_bytes(i)) for i in range(tokenizer.vocab_size)], dtype=np.int64
        )

    def window(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]:
        """A language, a whole document and a byte window of at most about `tokens` tokens in it."""
        language = rng.choices(self.languages, self._weights)[0]
        ends = self._ends[language]
        at = rng.randrange(int(ends[-1]))
        index = int(np.searchsorted(ends, at, side="right"))
        ids = self._shards.document(language, index)
        offsets = np.concatenate(([0], np.cumsum(self._token_length[ids])))
        data = self._tokenizer.decode(ids.tolist())
        inside = at - int(ends[index]) + len(ids)
        first = max(0, min(inside - rng.randrange(tokens), len(ids) - tokens))
        start = int(offsets[first])
        if start > 0:
            start = max(data.find(b"\n", start), 0)
        last = int(np.searchsorted(offsets, start)) + tokens
        end = len(data)
        if last < len(ids):
            newline = data.rfind(b"\n", start + 1, int(offsets[last]))
            end = newline if newline > start else int(offsets[last])
        return language, data, (start, end)


def build_row(
    source: DocumentSource, tokenizer: Tokenizer, rng: random.Random, config: BatchConfig
) -> list[Example]:
    """Examples that together fit one row."""
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
    return examples


def collate(
    rows: list[list[tuple[Example, NoisedExample]]],
    row_tokens: int,
    languages: list[str],
    *,
    causal: bool = False,
) -> Batch:
    """Pack noised examples into tensors of [len(rows), row_tokens]."""
    shape = (len(rows), row_tokens)
    ids = np.full(shape, PAD, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    segments = np.full(shape, PAD_SEGMENT, dtype=np.int64)
    index: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    groups: list[int] = []
    tokens = 0
    for r, row in enumerate(rows):
        at = 0
        for document, (example, noised) in enumerate(row):
            end = at + len(example.ids)
            ids[r, at:end] = noised.input_ids
            positions[r, at:end] = example.positions
            segments[r, at:end] = example.segments
            segments[r, at:end] += document * SEGMENTS_PER_DOCUMENT
            index.extend(r * row_tokens + at + i for i in noised.targets)
            targets.extend(noised.true_ids)
            weights.extend(noised.weights)
            groups.extend([languages.index(example.language)] * len(noised.targets))
            at = end
        tokens += at
    return Batch(
        ids_BL=torch.from_numpy(ids),
        positions_BL=torch.from_numpy(positions),
        segments_BL=torch.from_numpy(segments),
        target_index_M=torch.tensor(index, dtype=torch.long),
        targets_M=torch.tensor(targets, dtype=torch.long),
        weights_M=torch.tensor(weights, dtype=torch.float32),
        group_M=torch.tensor(groups, dtype=torch.long),
        tokens=tokens,
        causal=causal,
    )


def build_batch(
    source: DocumentSource,
    tokenizer: Tokenizer,
    step: int,
    config: BatchConfig,
    *,
    t: float | None = None,
) -> Batch:
    """Batch number `step`. `t` fixes the mask share, for validation."""
    rng = random.Random(f"{config.seed}/{step}")
    rows = []
    for _ in range(config.rows):
        examples = build_row(source, tokenizer, rng, config)
        rows.append(
            [(e, config.example.targets(e, rng, causal=config.causal, t=t)) for e in examples]
        )
    return collate(rows, config.row_tokens, source.languages, causal=config.causal)


class BatchStream(IterableDataset[Batch]):
    """Batches `first, first + 1, ...` without end, shared out among data-loader workers.

    With several processes, process `rank` of `world` takes every `world`-th batch.
    """

    def __init__(
        self,
        shards: ShardSet,
        tokenizer: Tokenizer,
        config: BatchConfig,
        *,
        first: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self._source = DocumentSource(shards, tokenizer, config.language_weights)
        self._tokenizer = tokenizer
        self._config = config
        self._first = first
        self._rank, self._world = rank, world

    @property
    def languages(self) -> list[str]:
        """Names that `Batch.group_M` points into."""
        return self._source.languages

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        step = self._first + worker
        while True:
            number = step * self._world + self._rank
            yield build_batch(self._source, self._tokenizer, number, self._config)
            step += workers
