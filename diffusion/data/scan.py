"""Surveys one package tree: which files pass the filters, and a fingerprint of each.

The survey of a package depends on its files and the evaluation sets alone, so it is kept on disk
under a key and reused. Paths are relative to the package folder, with forward slashes, sorted.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from diffusion.data.decontaminate import EvaluationSets
from diffusion.data.filters import (
    LANGUAGES,
    MAX_FILE_BYTES,
    header_language,
    language_of,
    reason_to_drop,
    skipped_path,
)
from diffusion.data.fingerprints import Hashes, exact_digest, signature, word_hashes
from diffusion.data.secrets import holds_secret
from diffusion.errors import CorpusError

VERSION = 2
_DAMAGED = (
    OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy and zipfile make of a file that was cut or altered."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The kept files of one package. All arrays have one entry per file; dropped are counts."""

    source: str
    key: str
    paths: tuple[str, ...]
    languages: npt.NDArray[np.uint8]
    sizes_bytes: npt.NDArray[np.int64]
    exact: tuple[bytes, ...]
    signatures: npt.NDArray[np.uint32]
    overlaps: tuple[Hashes, ...]
    dropped: dict[str, int]

    def save(self, path: Path) -> None:
        """Write atomically as .npz without pickles."""
        counts = np.array([len(o) for o in self.overlaps], np.int64)
        meta = {
            "source": self.source,
            "key": self.key,
            "paths": self.paths,
            "dropped": self.dropped,
        }
        part = path.with_name(path.name + ".part.npz")
        np.savez(
            part,
            meta=np.frombuffer(json.dumps(meta).encode(), np.uint8),
            languages=self.languages,
            sizes=self.sizes_bytes,
            exact=np.frombuffer(b"".join(self.exact), np.uint8),
            signatures=self.signatures,
            overlap_counts=counts,
            overlaps=np.concatenate([np.empty(0, np.uint64), *self.overlaps]),
        )
        os.replace(part, path)

    @classmethod
    def load(cls, path: Path) -> Survey:
        """Read what `save` wrote. Raises CorpusError where the file is damaged."""
        try:
            return cls._read(path)
        except _DAMAGED as error:
            raise CorpusError(
                f"the survey {path} is damaged ({type(error).__name__}: {error})",
                fix="delete it and run `diffill corpus build` again",
            ) from error

    @classmethod
    def _read(cls, path: Path) -> Survey:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            meta = json.loads(data["meta"].tobytes())
            exact = data["exact"].tobytes()
            ends = np.cumsum(data["overlap_counts"])
            return cls(
                source=meta["source"],
                key=meta["key"],
                paths=tuple(meta["paths"]),
                languages=data["languages"],
                sizes_bytes=data["sizes"],
                exact=tuple(exact[i : i + 16] for i in range(0, len(exact), 16)),
                signatures=data["signatures"],
                overlaps=tuple(np.split(data["overlaps"], ends)[:-1]),
                dropped=meta["dropped"],
            )


def code_files(root: Path) -> Iterator[str]:
    """Relative paths of files with a code extension outside vendored folders, sorted."""
    found = []
    for folder, folders, names in os.walk(root):
        folders.sort()
        relative = os.path.relpath(folder, root)
        for name in names:
            path = name if relative == "." else f"{relative}/{name}".replace(os.sep, "/")
            if language_of(name) is not None and not skipped_path(path):
                found.append(path)
    yield from sorted(found)


def limited(root: Path, paths: Iterable[str], limits: Mapping[str, int]) -> tuple[list[str], int]:
    """The paths to look at when a language has a limit in bytes, and how many are passed over.

    Which files of a language above its limit are looked at is decided by a hash of their paths.
    """
    def place(path: str) -> bytes:
        return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()

    ordered = sorted(paths, key=place)
    used: Counter[str] = Counter()
    chosen = []
    for path in ordered:
        language = language_of(path) or ""
        if used[language] >= limits.get(language, sys.maxsize):
            continue
        used[language] += (root / path).lstat().st_size
        chosen.append(path)
    return sorted(chosen), len(ordered) - len(chosen)


def read_file(root: Path, path: str) -> tuple[str, bytes] | None:
    """Language and bytes of one file; None for a link, a pipe, or what is too big for source."""
    full = root / path
    language = language_of(path)
    found = full.lstat()
    if language is None or not stat.S_ISREG(found.st_mode) or found.st_size > MAX_FILE_BYTES:
        return None
    data = full.read_bytes()
    return (header_language(data) if path.endswith(".h") else language), data


def survey(
    root: Path,
    source: str,
    key: str,
    evaluation: EvaluationSets,
    limits: Mapping[str, int] | None = None,
) -> Survey:
    """Filter and fingerprint the code files below `root`, up to the limit of each language."""
    dropped: Counter[str] = Counter()
    paths, passed_over = limited(root, code_files(root), limits or {})
    if passed_over:
        dropped["over_survey_limit"] = passed_over
    kept: list[tuple[str, int, int, bytes, npt.NDArray[np.uint32], Hashes]] = []
    for path in paths:
        read = read_file(root, path)
        if read is None:
            dropped["too_large"] += 1
            continue
        language, data = read
        reason = reason_to_drop(data)
        if reason is None and holds_secret(data):
            reason = "secret"
        if reason is not None:
            dropped[reason] += 1
            continue
        words = word_hashes(data)
        kept.append(
            (
                path,
                LANGUAGES.index(language),
                len(data),
                exact_digest(data),
                signature(words),
                evaluation.overlap(words),
            )
        )
    return Survey(
        source=source,
        key=key,
        paths=tuple(k[0] for k in kept),
        languages=np.array([k[1] for k in kept], np.uint8),
        sizes_bytes=np.array([k[2] for k in kept], np.int64),
        exact=tuple(k[3] for k in kept),
        signatures=(np.stack([k[4] for k in kept]) if kept else np.empty((0, 64), np.uint32)),
        overlaps=tuple(k[5] for k in kept),
        dropped=dict(sorted(dropped.items())),
    )
