"""The text of a run, fixed when it begins: a small corpus in the run's own folder.

`data` holds the repository's shards, `general` those of the pack that is replayed, both with a
train and a validation split in the corpus's own format, so that batches, validation and holes are
made by the code that pretraining uses. What is edited while a run goes on changes nothing in it.
`trial` and `judge` part the train split once more, by file, for the test of learning rates.

Invariants: a held-out file is in no train shard; no file is in both `trial` and `judge`, and both
hold files of the train split alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from diffusion.adapters.durable import sync_folder
from diffusion.data.document_source import DocumentSource
from diffusion.data.documents import documents_of, split_long, without_licence_header
from diffusion.data.open_corpus import MANIFEST
from diffusion.data.repository import Progress, Repository
from diffusion.data.shards import ShardSet, write_shard
from diffusion.data.split import unit_hash
from diffusion.errors import CorpusError, TrainingError
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.replay import general_files

DATA, GENERAL = "data", "general"
TRAIN, VALIDATION = "train", "validation"
TRIAL, JUDGE = "trial", "judge"
_JUDGED_SHARE, _FEWEST_FILES = 0.15, 4
_PART = ".part"
RECENT_TIMES = 2
"""A file that recent commits touched is drawn so much more often."""


def repository_documents(path: str, data: bytes, *, licence_headers: bool = False) -> list[bytes]:
    """The training documents of one file of a repository."""
    if licence_headers:
        return [piece for piece in split_long(data) if piece.strip()]
    return [piece for piece in split_long(without_licence_header(data)) if piece.strip()]


def write_data(
    run: Path,
    repository: Repository,
    tokenizer: Tokenizer,
    *,
    licence_headers: bool = False,
    on_progress: Progress = lambda: None,
) -> None:
    """Write the shards of a run, whole or not at all, and force them to the disk.

    Raises TrainingError or CorpusError.
    """
    own: list[tuple[str, str, bytes, int]] = []
    judged = _judged([file.path for file in repository.files if not file.held_out])
    for file in repository.files:
        splits = [VALIDATION] if file.held_out else [TRAIN]
        if judged and not file.held_out:
            splits.append(JUDGE if file.path in judged else TRIAL)
        for piece in repository_documents(file.path, file.data, licence_headers=licence_headers):
            for split in splits:
                times = RECENT_TIMES if file.recent and split in (TRAIN, TRIAL) else 1
                own.append((split, file.language, piece, times))
    general = [
        (VALIDATION if file.held_out else TRAIN, file.language, piece, 1)
        for file in general_files()
        for piece in documents_of(file.path, file.data)
    ]
    try:
        for name, documents in ((DATA, own), (GENERAL, general)):
            _write_corpus(run / name, documents, tokenizer, on_progress)
    except OSError as error:
        raise TrainingError(
            f"the data of the run could not be written to {run} ({error.strerror})",
            fix="free some disk space, or name another data folder in DIFFILL_DATA",
        ) from error


def check_enough(splits: Collection[str]) -> None:
    """Raises CorpusError where one of the splits that a run needs is not among these."""
    for needed, purpose in ((TRAIN, "train"), (VALIDATION, "measure")):
        if needed not in splits:
            raise CorpusError(
                f"the repository has too little code to learn from: no file is left to {purpose} "
                "on",
                fix="name a repository with at least two source files of more than 200 bytes",
            )


def clear_data(run: Path) -> None:
    """Forget a run's text."""
    for name in (DATA, GENERAL):
        for folder in (run / name, run / f"{name}{_PART}"):
            shutil.rmtree(folder, ignore_errors=True)


def _write_corpus(
    folder: Path,
    documents: Iterable[tuple[str, str, bytes, int]],
    tokenizer: Tokenizer,
    on_progress: Progress,
) -> None:
    shards: dict[tuple[str, str], list[list[int]]] = {}
    for split, language, data, times in documents:
        on_progress()
        ids = tokenizer.encode(data)
        if ids:
            shards.setdefault((split, language), []).extend([ids] * times)
    check_enough({split for split, _ in shards})
    partial = folder.with_name(f"{folder.name}{_PART}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for (split, language), found in shards.items():
        write_shard(partial / f"{split}-{language}-000.bin", found)
    (partial / MANIFEST).write_text(json.dumps({"tokenizer": tokenizer.hash}), encoding="utf-8")
    for path in partial.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    sync_folder(folder.parent)


def _judged(paths: Sequence[str]) -> frozenset[str]:
    """The training files that learning rates are judged on; none where there are too few."""
    if len(paths) < _FEWEST_FILES:
        return frozenset()
    count = max(1, round(_JUDGED_SHARE * len(paths)))
    return frozenset(sorted(paths, key=lambda path: (unit_hash(f"judge:{path}"), path))[:count])


def can_judge(run: Path) -> bool:
    """Whether learning rates can be tried out on this run's text."""
    return all(any((run / DATA).glob(f"{split}-*.bin")) for split in (TRIAL, JUDGE))


class MixedSource:
    """Windows of the repository, and now and then one of general code. A `PieceSource`."""

    def __init__(
        self, run: Path, tokenizer: Tokenizer, replay: float, split: str = TRAIN
    ) -> None:
        own, general = ShardSet.open(run / DATA, split), ShardSet.open(run / GENERAL, TRAIN)
        self._own = DocumentSource(own, tokenizer, {})
        self._general = DocumentSource(general, tokenizer, dict.fromkeys(general.languages, 1.0))
        self._replay = replay
        self.languages = sorted({*own.languages, *general.languages})

    def piece(self, rng: random.Random, tokens: int) -> tuple[str, bytes, tuple[int, int]]:
        """As `DocumentSource.piece`, from either side."""
        source = self._general if rng.random() < self._replay else self._own
        return source.piece(rng, tokens)
