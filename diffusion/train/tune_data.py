"""The text of a run, fixed when it begins: a small corpus in the run's own folder.

`data` holds the repository's shards, `general` those of the pack that is replayed, both with a
train and a validation split in the corpus's own format, so that batches, validation and holes are
made by the code that pretraining uses. What is edited while a run goes on changes nothing in it.

Invariant: a held-out file is in no train shard.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

from diffusion.data.document_source import DocumentSource
from diffusion.data.documents import documents_of, split_long, without_licence_header
from diffusion.data.open_corpus import MANIFEST
from diffusion.data.repository import Repository
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import CorpusError, TrainingError
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.replay import general_files

DATA, GENERAL = "data", "general"
RECENT_TIMES = 2
"""A file that recent commits touched is drawn so much more often."""


def repository_documents(path: str, data: bytes, *, licence_headers: bool = False) -> list[bytes]:
    """The training documents of one file of a repository."""
    if licence_headers:
        return [piece for piece in split_long(data) if piece.strip()]
    return [piece for piece in split_long(without_licence_header(data)) if piece.strip()]


def write_data(
    run: Path, repository: Repository, tokenizer: Tokenizer, *, licence_headers: bool = False
) -> None:
    """Write the shards of a run, whole or not at all. Raises TrainingError or CorpusError."""
    own: list[tuple[str, str, bytes, int]] = []
    for file in repository.files:
        split = "validation" if file.held_out else "train"
        times = RECENT_TIMES if file.recent and not file.held_out else 1
        for piece in repository_documents(file.path, file.data, licence_headers=licence_headers):
            own.append((split, file.language, piece, times))
    general = [
        ("validation" if file.held_out else "train", file.language, piece, 1)
        for file in general_files()
        for piece in documents_of(file.path, file.data)
    ]
    try:
        for name, documents in ((DATA, own), (GENERAL, general)):
            _write_corpus(run / name, documents, tokenizer)
    except OSError as error:
        raise TrainingError(
            f"the data of the run could not be written to {run} ({error.strerror})",
            fix="free some disk space, or name another data folder in DIFFILL_DATA",
        ) from error


def _write_corpus(
    folder: Path, documents: Iterable[tuple[str, str, bytes, int]], tokenizer: Tokenizer
) -> None:
    shards: dict[tuple[str, str], list[list[int]]] = {}
    for split, language, data, times in documents:
        ids = tokenizer.encode(data)
        if ids:
            shards.setdefault((split, language), []).extend([ids] * times)
    if not any(split == "train" for split, _ in shards):
        raise CorpusError(
            "the repository has too little code to learn from: no file is left to train on",
            fix="name a repository with at least two source files of more than 200 bytes",
        )
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for (split, language), found in shards.items():
        write_shard(partial / f"{split}-{language}-000.bin", found)
    (partial / MANIFEST).write_text(json.dumps({"tokenizer": tokenizer.hash}), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def has_held_out(run: Path) -> bool:
    """Whether there is anything to measure on."""
    return any((run / DATA).glob("validation-*.bin"))


class MixedSource:
    """Windows of the repository, and now and then one of general code. A `PieceSource`."""

    def __init__(self, run: Path, tokenizer: Tokenizer, replay: float) -> None:
        own, general = (ShardSet.open(run / name, "train") for name in (DATA, GENERAL))
        self._own = DocumentSource(own, tokenizer, {})
        self._general = DocumentSource(general, tokenizer, dict.fromkeys(general.languages, 1.0))
        self._replay = replay
        self.languages = sorted({*own.languages, *general.languages})

    def piece(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]:
        """As `DocumentSource.piece`, from either side."""
        source = self._general if rng.random() < self._replay else self._own
        return source.piece(rng, tokens)
