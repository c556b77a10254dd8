"""Tokenised documents on disk: uint16 token files with an index of document offsets.

Job: write and read `<split>-<language>-<nnn>.bin` (documents one after another, no separators)
with `<same>.idx.npy` (uint64 offsets, one more than there are documents; behind the array, where
numpy does not look, the SHA-256 of the token file).

Invariant: files are memory-mapped and never changed after they are written, so many readers, and
a trainer with workers, share them. What is opened has offsets that rise and fit the tokens; the
SHA-256 is compared where all that is opened is small, as the text of a tuning run is: a corpus of
gigabytes would be read twice.
"""

from __future__ import annotations

import hashlib
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diffusion.errors import CorpusError

Tokens = npt.NDArray[np.uint16]
_BUILD_AGAIN = "delete both and run `diffill corpus build` again"
_SMALL_BYTES = 64_000_000
"""Up to so many bytes of tokens are read when they are opened, to compare their SHA-256."""
_INDEX = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<u8', 'fortran_order': False, "
    rb"'shape': \((\d{1,15}),\), \} *\n",
    re.DOTALL,
)
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
    index.write(hashlib.sha256(tokens.data).digest())
    # Not numpy's own writing to files: it does not say that a disk is full (no errno).
    partial.write_bytes(tokens.data)
    partial_index.write_bytes(index.getbuffer())
    partial_index.replace(index_path)
    partial.replace(path)
    return int(offsets[-1])


def _read_index(path: Path) -> tuple[npt.NDArray[np.int64], bytes]:
    """Offsets, and the digest behind them (none in old files). Raises OSError or ValueError."""
    raw = path.read_bytes()
    head = _INDEX.match(raw)
    if head is None or len(raw) < head.end() + 8 * int(head[1]):
        raise ValueError("the index is damaged")
    offsets = np.frombuffer(raw, "<u8", int(head[1]), head.end()).astype(np.int64)
    if not len(offsets) or offsets[0] != 0 or (np.diff(offsets) < 0).any():
        raise ValueError("the offsets of the index do not rise from 0")
    return offsets, raw[head.end() + offsets.nbytes :]


def _size_bytes(paths: Iterable[Path]) -> int:
    try:
        return sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise CorpusError(f"a shard cannot be read ({error})", fix=_BUILD_AGAIN) from error


class _Shard:
    def __init__(self, path: Path, *, whole: bool) -> None:
        index_path = path.with_suffix(".idx.npy")
        try:
            self.offsets, digest = _read_index(index_path)
            self.tokens: Tokens = np.memmap(path, dtype=np.uint16, mode="r")
        except (OSError, ValueError) as error:
            raise CorpusError(
                f"shard {path.name} or its index cannot be read ({error})", fix=_BUILD_AGAIN
            ) from error
        if int(self.offsets[-1]) != len(self.tokens):
            raise CorpusError(
                f"shard {path.name} holds {len(self.tokens)} tokens but its index says "
                f"{int(self.offsets[-1])}",
                fix=_BUILD_AGAIN,
            )
        if whole and digest and hashlib.sha256(self.tokens.data).digest() != digest:
            raise CorpusError(
                f"shard {path.name} is damaged: its SHA-256 differs", fix=_BUILD_AGAIN
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1


class LanguageShards(Sequence[Tokens]):
    """All documents of one language, in order of shard number."""

    def __init__(self, paths: Sequence[Path], *, whole: bool = False) -> None:
        """`whole` compares the SHA-256 of each shard, too. Raises CorpusError."""
        self._shards = [_Shard(p, whole=whole) for p in paths]
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
        """Open `split` ("train", "validation"). Raises CorpusError where it is
        missing or damaged.
        """
        return cls.open_all([Path(directory)], split)

    @classmethod
    def open_all(cls, directories: Sequence[Path], split: str) -> ShardSet:
        """Open `split` of several folders as one. Raises CorpusError where it is missing or
        damaged.
        """
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
        small = _size_bytes(path for found in paths.values() for path in found) <= _SMALL_BYTES
        return cls({name: LanguageShards(found, whole=small) for name, found in paths.items()})

    def __getitem__(self, language: str) -> LanguageShards:
        return self._by_language[language]

    def document(self, language: str, index: int) -> Tokens:
        """Token ids of one document, uint16 [n]."""
        return self._by_language[language][index]
