"""Training batches: windows of documents packed into rows, rows into tensors.

Job: row numbers in, tensors out. Row `r` is a pure function of (seed, r), and batch `n` of R rows
is rows n * R to n * R + R - 1. So a run resumes at any step with no state of the data to restore,
and neither workers, processes nor the number of passes a batch is cut into change what is in it.

Invariant: a row is at most `row_tokens` long; examples never cross rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from diffusion.data.document_source import DocumentSource
from diffusion.data.examples import Example, ExampleConfig, NoisedExample
from diffusion.data.shards import ShardSet
from diffusion.data.window_quality import worth_repeating
from diffusion.errors import ConfigError
from diffusion.model.partition import PAD_SEGMENT, SEGMENTS_PER_DOCUMENT
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import PAD, Tokenizer

_SMALLEST_WINDOW = 64  # tokens; a smaller rest of a row is padded
_SMALLEST_WITH_HOLES = 256  # tokens; a smaller rest of a long row is text without holes
_TOKENS_PER_HOLE = 60  # of a window with as many holes as fit
_CHOICES = 6  # more windows, of which the first good one is taken


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """Shape of a batch and where its documents come from."""

    rows: int = 16
    """Rows of one optimiser step, those of all processes together."""
    row_tokens: int = 512
    seed: int = 0
    language_weights: Mapping[str, float] = field(default_factory=dict)
    """How many times as often as by its share of the corpus a language is drawn; once without an
    entry."""
    example: ExampleConfig = field(default_factory=ExampleConfig)
    causal: bool = False
    """Left to right: nothing is masked, every token predicts the next one."""
    noisings: int = 1
    """Neighbouring rows that hold the same examples, each noised anew. Laying out an example is
    most of the work, so a fast accelerator that waits for batches gets more of them with 2."""
    selective: bool = False
    """Only windows that `window_quality` likes: the best data, for the end of a run."""


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


def window_tokens(room: int, example: ExampleConfig) -> int:
    """Tokens of a window that leaves room for its canvases in `room` tokens of a row.

    Holes whose canvases do not fit are left out, so this settles how the row is shared between
    context and canvases.
    """
    spare = 0.0
    if example.free_sizes and example.plain_mlm < 1.0:
        # Half of a middling canvas, for as many holes as such a window has.
        middling = sum(example.free_sizes) / len(example.free_sizes)
        copies = 2 if example.complementary else 1
        spare = copies * middling / 2 * min(example.mix.max_holes, room / _TOKENS_PER_HOLE)
    return int((room - spare) * 0.92) - 8


def drawn_weights(shards: ShardSet, times: Mapping[str, float]) -> dict[str, float]:
    """The weight of each language for `DocumentSource`, `times` being those of a `BatchConfig`.

    Raises ConfigError for a language that the corpus does not have.
    """
    absent = sorted(times.keys() - set(shards.languages))
    if absent:
        raise ConfigError(
            f"the corpus has no {absent[0]}, which is given a weight",
            fix=f"give weights to some of {', '.join(shards.languages)}",
        )
    return {
        name: times.get(name, 1.0) * int(shards[name].lengths().sum()) for name in shards.languages
    }


class PieceSource(Protocol):
    """Where the windows of rows come from; `DocumentSource` is one."""

    languages: list[str]

    def piece(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]: ...


def build_row(
    source: PieceSource, tokenizer: Tokenizer, rng: random.Random, config: BatchConfig
) -> list[Example]:
    """Examples that together fit one row."""
    examples: list[Example] = []
    room = config.row_tokens
    with_holes = min(_SMALLEST_WITH_HOLES, room // 2)
    for _ in range(8):
        if room < _SMALLEST_WINDOW:
            break
        becomes = config.example if room >= with_holes else replace(config.example, plain_mlm=1.0)
        language, data, window, tree = _window(
            source, rng, window_tokens(room, becomes), selective=config.selective
        )
        if window[1] - window[0] < 16:
            continue
        example = becomes.build(tokenizer, tree, data, window, language, rng, room)
        if len(example.ids) <= room:
            examples.append(example)
            room -= len(example.ids)
    return examples


def _window(
    source: PieceSource, rng: random.Random, tokens: int, *, selective: bool
) -> tuple[str, bytes, tuple[int, int], SyntaxTree]:
    """A window with its tree: the next one or, if `selective`, a good one of its language."""
    language, data, window = source.piece(rng, tokens)
    tree = SyntaxTree.parse(data, language)
    for _ in range(_CHOICES if selective else 0):
        if worth_repeating(tree, data, window):
            break
        # One of any language would change the shares: of some, fewer windows are liked.
        assert isinstance(source, DocumentSource), "good windows are looked for in one corpus"
        _, data, window = source.piece(rng, tokens, language)
        tree = SyntaxTree.parse(data, language)
    return language, data, window, tree


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


def build_rows(
    source: PieceSource, tokenizer: Tokenizer, numbers: Sequence[int], config: BatchConfig
) -> Batch:
    """The rows with these numbers."""
    rows: list[list[tuple[Example, NoisedExample]]] = []
    built: tuple[int, list[Example]] | None = None
    for number in numbers:
        group, again = divmod(number, config.noisings)
        if built is None or built[0] != group:
            built = (
                group,
                build_row(source, tokenizer, random.Random(f"{config.seed}/row/{group}"), config),
            )
        rng = random.Random(f"{config.seed}/noise/{group}/{again}")
        rows.append(
            [(e, config.example.targets(e, rng, causal=config.causal, t=None)) for e in built[1]]
        )
    return collate(rows, config.row_tokens, source.languages, causal=config.causal)


@dataclass(frozen=True, slots=True)
class Share:
    """The part of every batch that one process trains on, and in how many passes.

    Process `rank` of `world` takes its share of a batch's rows in order, `rows_per_pass` at a
    time; None is all at once.
    """

    rank: int = 0
    world: int = 1
    rows_per_pass: int | None = None

    def passes(self, step: int, rows: int) -> list[range]:
        """Row numbers of each pass of batch `step`, `rows` being those of the whole batch."""
        own, rest = divmod(rows, self.world)
        each = self.rows_per_pass or own
        if rest or own % each:
            raise ConfigError(
                f"a batch of {rows} rows cannot be shared by {self.world} processes in passes of "
                f"{each} rows; choose --batch-tokens so that its rows are a multiple of "
                f"{self.world * each}"
            )
        first = step * rows + self.rank * own
        return [range(at, at + each) for at in range(first, first + own, each)]


class BatchStream(IterableDataset[tuple[Batch, ...]]):
    """Batches `first, first + 1, ...` without end, each as the passes of one process's share.

    Data-loader workers take turns.
    """

    def __init__(
        self,
        shards: ShardSet,
        tokenizer: Tokenizer,
        config: BatchConfig,
        *,
        first: int = 0,
        share: Share = Share(),
    ) -> None:
        share.passes(0, config.rows)  # raises where it cannot be shared out
        self._source = DocumentSource(
            shards, tokenizer, drawn_weights(shards, config.language_weights)
        )
        self._tokenizer = tokenizer
        self._config = config
        self._first = first
        self._share = share

    @property
    def languages(self) -> list[str]:
        """Names that `Batch.group_M` points into."""
        return self._source.languages

    def __iter__(self) -> Iterator[tuple[Batch, ...]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        step = self._first + worker
        while True:
            yield tuple(
                build_rows(self._source, self._tokenizer, numbers, self._config)
                for numbers in self._share.passes(step, self._config.rows)
            )
            step += workers


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
