"""Tokenised documents on disk: uint16 token files with an index of document offsets.

Job: write and read `<split>-<language>-<nnn>.bin` (documents one after another, no separators)
with `<same>.idx.npy` (uint64 offsets, one more than there are documents).

Invariant: files are memory-mapped and never changed after they are written, so many readers, and
a trainer with workers, share them.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diffusion.errors import CorpusError

Tokens = npt.NDArray[np.uint16]
_NAME = re.compile(r"^(?P<split>[a-z]+)-(?P<language>[a-z]+)-(?P<number>\d+)\.bin$")


def write_shard(path: Path, documents: Iterable[Sequence[int] | Tokens]) -> int:
    """Write one shard atomically; returns its number of tokens. Raises OSError."""
    arrays = [np.asarray(d, dtype=np.uint16) for d in documents]
    offsets = np.concatenate(([0], np.cumsum([len(a) for a in arrays]))).astype(np.uint64)
    index_path = path.with_suffix(".idx.npy")
    partial, partial_index = path.with_suffix(".bin.part"), path.with_suffix(".idx.part.npy")
    tokens = np.concatenate(arrays) if arrays else np.empty(0, np.uint16)
    index = io.BytesIO()
    np.save(index, offsets)
    # Not numpy's own writing to files: it does not say that a disk is full (no errno).
    partial.write_bytes(tokens.data)
    partial_index.write_bytes(index.getbuffer())
    partial_index.replace(index_path)
    partial.replace(path)
    return int(offsets[-1])


class _Shard:
    def __init__(self, path: Path) -> None:
        index_path = path.with_suffix(".idx.npy")
        try:
            self.offsets = np.load(index_path, allow_pickle=False).astype(np.int64)
            self.tokens: Tokens = np.memmap(path, dtype=np.uint16, mode="r")
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"shard {path.name} or its index cannot be read ({error}); "
                "delete both and run `diffill corpus build` again"
            ) from error
        if int(self.offsets[-1]) != len(self.tokens):
            raise CorpusError(
                f"shard {path.name} holds {len(self.tokens)} tokens but its index says "
                f"{int(self.offsets[-1])}; delete both and run `diffill corpus build` again"
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1


class LanguageShards(Sequence[Tokens]):
    """All documents of one language, in order of shard number."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._shards = [_Shard(p) for p in paths]
        self._starts = np.concatenate(([0], np.cumsum([len(s) for s in self._shards]))).tolist()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: int) -> Tokens:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        which = bisect_right(self._starts, index) - 1
        shard, inside = self._shards[which], index - int(self._starts[which])
        return shard.tokens[int(shard.offsets[inside]) : int(shard.offsets[inside + 1])]

    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each document."""
        return np.concatenate([np.diff(s.offsets) for s in self._shards])


class ShardSet:
    """The documents of one split, by language."""

    def __init__(self, by_language: dict[str, LanguageShards]) -> None:
        self._by_language = by_language
        self.languages = sorted(by_language)

    @classmethod
    def open(cls, directory: str | Path, split: str) -> ShardSet:
        """Open `split` ("train", "validation"). Raises CorpusError when there is none."""
        return cls.open_all([Path(directory)], split)

    @classmethod
    def open_all(cls, directories: Sequence[Path], split: str) -> ShardSet:
        """Open `split` of several folders as one. Raises CorpusError when there is none."""
        paths: dict[str, list[Path]] = {}
        for directory in directories:
            for path in sorted(directory.glob(f"{split}-*.bin")):
                match = _NAME.match(path.name)
                if match:
                    paths.setdefault(match["language"], []).append(path)
        if not paths:
            raise CorpusError(
                f"no {split} shards in {directories[0]}; "
                f"run `diffill corpus build --out {directories[0]}`"
            )
        return cls({name: LanguageShards(found) for name, found in paths.items()})

    def __getitem__(self, language: str) -> LanguageShards:
        return self._by_language[language]

    def document(self, language: str, index: int) -> Tokens:
        """Token ids of one document, uint16 [n]."""
        return self._by_language[language][index]
