"""Keeps evaluation cases out of the corpus: a file that shares 13 words in a row is dropped.

Runs of fewer than `MIN_DISTINCT` different words (import lists, tables) are not counted, and a run
that occurs in files of more than `COMMON_SOURCES` different packages is a phrase everybody writes
(a licence, an idiom), not a leak.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from diffusion.data.fingerprints import EVALUATION_WORDS, Hashes, ngram_hashes, word_hashes
from diffusion.errors import CorpusError

COMMON_SOURCES = 3
MIN_DISTINCT = 8
_FIELDS = ("prefix", "middle", "suffix")
_WHOLE = ("text", "prompt")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class EvaluationSets:
    """The 13-word hashes of all cases (sorted, unique, uint64) and a SHA-256 for every file."""

    hashes: Hashes
    files: dict[str, str]
    cases: int

    @property
    def digest(self) -> str:
        """One hash for all files, for cache keys."""
        rules = [EVALUATION_WORDS, MIN_DISTINCT, self.files]
        return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def overlap(self, words: Hashes) -> Hashes:
        """Which evaluation hashes occur in a text with these word hashes; unique, maybe empty."""
        if not len(self.hashes):
            return self.hashes
        grams = ngram_hashes(words, EVALUATION_WORDS)
        at = np.searchsorted(self.hashes, grams)
        at[at == len(self.hashes)] = 0
        found: Hashes = np.unique(grams[self.hashes[at] == grams])
        return found


def telling_ngrams(words: Hashes) -> Hashes:
    """The hashes of the 13-word runs with at least `MIN_DISTINCT` different words."""
    if len(words) < EVALUATION_WORDS:
        return np.empty(0, np.uint64)
    runs = np.sort(np.lib.stride_tricks.sliding_window_view(words, EVALUATION_WORDS), axis=1)
    distinct = 1 + (runs[:, 1:] != runs[:, :-1]).sum(axis=1)
    found: Hashes = ngram_hashes(words, EVALUATION_WORDS)[distinct >= MIN_DISTINCT]
    return found


def load_evaluation_sets(
    paths: Iterable[Path], on_passed_over: Callable[[Path], None] = lambda _: None
) -> EvaluationSets:
    """Read case files (JSON lines, compressed by gzip or not; a directory stands for all of its
    .jsonl and .jsonl.gz).

    Each line is an object with `prefix`, `middle` and `suffix`, or with `text` or `prompt`. A file
    of a directory of which every line is an object with none of them (a table of authors beside
    the cases) is passed over; `on_passed_over` is told its path. Raises CorpusError for a path
    that is missing or cannot be read, for any other line that is no such object, and for a file
    or a directory that holds no case.
    """
    grams, digests, cases = [np.empty(0, np.uint64)], {}, 0
    for path in paths:
        used = 0
        for file in _files(path):
            raw, text = _read(file)
            lines = text.splitlines()
            if path.is_dir() and not any(map(_may_be_case, lines)):
                on_passed_over(file)
                continue
            found = _texts(file, lines)
            grams += [telling_ngrams(word_hashes(whole)) for whole in dict.fromkeys(found)]
            if found:
                digests[file.name] = hashlib.sha256(raw).hexdigest()
            used += len(found)
        if not used:
            raise CorpusError(
                f"--decontaminate names {path}, which holds no evaluation case",
                fix="name a file of JSON lines with prefix, middle and suffix, or text, or prompt, "
                "or a folder of such files (.jsonl, .jsonl.gz)",
            )
        cases += used
    return EvaluationSets(np.unique(np.concatenate(grams)), digests, cases)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")])
    if not path.exists():
        raise CorpusError(f"--decontaminate names {path}, which does not exist")
    return [path]


def _may_be_case(line: bytes) -> bool:
    """Whether a line is anything but an object with other fields: a case, or a damaged one."""
    try:
        case = json.loads(line)
    except (ValueError, RecursionError):
        return True
    return not isinstance(case, dict) or any(field in case for field in (*_FIELDS, *_WHOLE))


def _texts(file: Path, lines: Iterable[bytes]) -> list[bytes]:
    """The text of every case of a file that has some, in order."""
    found = []
    for number, line in enumerate(lines, 1):
        try:
            whole = _text_of(json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise CorpusError(
                f"{file.name} line {number} is not an evaluation case ({error}); "
                "leave the file out of --decontaminate"
            ) from error
        if whole:
            found.append(whole)
    return found


def _read(file: Path) -> tuple[bytes, bytes]:
    """The bytes of a case file, and its text."""
    try:
        raw = file.read_bytes()
        return raw, gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(
            f"the evaluation cases {file.name} cannot be read ({error}); "
            "restore the file or leave it out of --decontaminate"
        ) from error


def _text_of(case: object) -> bytes:
    """All of a case's text. Raises ValueError, or TypeError where a field is no text."""
    if not isinstance(case, dict):
        raise ValueError(f"it is a {type(case).__name__}, no object")
    parts = [case[k] for k in _FIELDS if k in case] or [case[k] for k in _WHOLE if k in case]
    if not parts:
        names = ", ".join((*_FIELDS, *_WHOLE))
        raise ValueError(f"it has none of the fields {names}")
    return "".join(parts).encode("utf-8", "surrogatepass")


def contaminated(
    overlaps: Sequence[Hashes], sources: Sequence[int], common: int = COMMON_SOURCES
) -> npt.NDArray[np.bool_]:
    """Which files to drop, given each file's overlap and the number of its package. Shape [F]."""
    seen: dict[int, set[int]] = {}
    for found, source in zip(overlaps, sources, strict=True):
        for gram in found.tolist():
            seen.setdefault(gram, set()).add(source)
    return np.array(
        [any(len(seen[g]) <= common for g in found.tolist()) for found in overlaps], np.bool_
    )
