"""Packs: the tokenised corpus in compressed pieces, each of which can be trained on alone.

A pack is one file: a magic line, the length of its header, the header (JSON), and one xz stream,
which is a fifth smaller than zstandard's best for tokens of two bytes, and in the standard library.
Unpacked, it is for each entry of the header, in order, the lengths of its documents (uint32) and
their tokens (uint16). Documents are dealt to the packs at random, so each pack is a
fair sample of the training split. The validation documents are the same in every pack, so losses
of runs on different packs of a set compare.

Invariants: a pack appears whole or not at all; nothing of a pack is used before its SHA-256 has
been checked.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import random
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from diffusion.data.errors import ShardError
from diffusion.data.made_with import check_made_with
from diffusion.data.shards import ShardSet, Tokens
from diffusion.errors import CorpusError

FORMAT = 2
SUFFIX = ".pack"
_MAGIC = b"DIFFILL PACK\n"
_MAX_HEADER_BYTES = 1 << 20
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 3, "lp": 1, "pb": 1}]
"""Of liblzma: literals and matches are aligned to two bytes."""
_VALIDATION_SHARE = 0.04
"""Most that the common validation documents may take of a pack."""
_COPY_AGAIN = "copy the file again"


@dataclass(frozen=True, slots=True)
class Entry:
    """One split of one language in a pack."""

    split: str
    language: str
    documents: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a pack says about itself. `set_id` is the same for all packs made together."""

    set_id: str
    number: int
    of: int
    tokenizer_hash: str
    entries: tuple[Entry, ...]
    payload_bytes: int
    sha256: str
    format: int = FORMAT

    @property
    def tokens(self) -> int:
        """Training tokens of this pack."""
        return sum(entry.tokens for entry in self.entries if entry.split == "train")


def write_packs(corpus: Path, out: Path, *, tokenizer_hash: str, max_bytes: int) -> list[Path]:
    """Deal the shards in `corpus` into packs of at most `max_bytes` each, in folder `out`.

    Raises CorpusError if a pack cannot be written, `max_bytes` is too small for one document, or
    the corpus is not finished, and TokenizerError if it was made with another vocabulary.
    """
    check_made_with(corpus, tokenizer_hash)
    train, validation = ShardSet.open(corpus, "train"), ShardSet.open(corpus, "validation")
    everything = [(name, i) for name in train.languages for i in range(len(train[name]))]
    rng = random.Random(tokenizer_hash)
    rng.shuffle(everything)
    sample = [train.document(*where) for where in everything[: max(1, len(everything) // 50)]]
    raw = sum(len(document) for document in sample)
    ratio = len(_compressed(_payload(sample))) / max(1, 2 * raw)
    total = 2 * sum(int(train[name].lengths().sum()) for name in train.languages)
    common = _common_validation(validation, int(_VALIDATION_SHARE * max_bytes / max(ratio, 0.01)))
    room = max_bytes * (1 - _VALIDATION_SHARE) * 0.97
    count = max(1, -(-int(total * ratio) // max(1, int(room))))
    while count <= len(everything):
        set_id = _set_id(train, tokenizer_hash, count)
        paths: list[Path] = []
        for number, (entries, body) in enumerate(_bodies(train, common, everything, count)):
            digest = hashlib.sha256(body).hexdigest()
            header = Header(set_id, number, count, tokenizer_hash, entries, len(body), digest)
            head = json.dumps(asdict(header)).encode()
            whole = _MAGIC + struct.pack("<Q", len(head)) + head + body
            if len(whole) > max_bytes:
                break
            paths.append(_write(out / f"corpus-{number:03}-of-{count:03}{SUFFIX}", whole))
        else:
            return paths
        for path in paths:
            path.unlink()
        count += max(1, count // 20)
    raise CorpusError(f"a document alone is larger than {max_bytes} bytes; give a larger --max-mb")


def _set_id(train: ShardSet, tokenizer_hash: str, count: int) -> str:
    digest = hashlib.sha256(f"{tokenizer_hash} {count}".encode())
    for name in train.languages:
        digest.update(name.encode() + train[name].lengths().tobytes())
    return digest.hexdigest()[:16]


def _bodies(
    train: ShardSet,
    common: dict[str, list[Tokens]],
    everything: Sequence[tuple[str, int]],
    count: int,
) -> Iterator[tuple[tuple[Entry, ...], bytes]]:
    """Entries and compressed payload of each pack, as many at once as there are processors."""

    def body(number: int) -> tuple[tuple[Entry, ...], bytes]:
        groups: dict[tuple[str, str], list[Tokens]] = {
            ("validation", name): documents for name, documents in common.items()
        }
        for language, index in sorted(everything[number::count]):
            groups.setdefault(("train", language), []).append(train.document(language, index))
        entries = tuple(
            Entry(split, language, len(documents), sum(map(len, documents)))
            for (split, language), documents in groups.items()
        )
        raw = b"".join(_payload(documents) for documents in groups.values())
        return entries, _compressed(raw)

    with ThreadPoolExecutor(min(count, os.cpu_count() or 1)) as pool:
        yield from pool.map(body, range(count))


def _compressed(raw: bytes) -> bytes:
    return lzma.compress(raw, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=_FILTERS)


def _common_validation(validation: ShardSet, max_bytes: int) -> dict[str, list[Tokens]]:
    """The first documents of every language, about as many tokens of each; at least one."""
    each = max_bytes // (2 * max(1, len(validation.languages)))
    chosen: dict[str, list[Tokens]] = {}
    for name in validation.languages:
        taken = 0
        for index in range(len(validation[name])):
            document = validation.document(name, index)
            if taken and taken + len(document) > each:
                continue
            chosen.setdefault(name, []).append(document)
            taken += len(document)
    return chosen


def _payload(documents: Sequence[Tokens]) -> bytes:
    lengths = np.array([len(document) for document in documents], dtype="<u4")
    tokens = np.concatenate([np.asarray(d) for d in documents]) if documents else np.empty(0)
    return lengths.tobytes() + tokens.astype("<u2").tobytes()


def _write(path: Path, whole: bytes) -> Path:
    partial = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(whole)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CorpusError(
            f"pack {path} could not be written ({error.strerror}); free some disk space. "
            "Packs written before it are whole"
        ) from error
    return path


def read_header(path: Path) -> Header:
    """The header of a pack, its size checked. Raises ShardError where it is no whole pack."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC) + 8)
            if not start.startswith(_MAGIC):
                raise ShardError(f"{path} is not a pack; make packs with `diffill corpus pack`")
            (length,) = struct.unpack("<Q", start[len(_MAGIC) :])
            if length > _MAX_HEADER_BYTES:
                raise ShardError(f"the header of {path} is damaged", fix=_COPY_AGAIN)
            raw = json.loads(file.read(length))
        size = path.stat().st_size
        if raw["format"] != FORMAT:
            raise ShardError(
                f"{path} has format {raw['format']}, this Diffill reads {FORMAT}",
                fix="make the packs again with `diffill corpus pack`",
            )
        entries = tuple(Entry(**entry) for entry in raw.pop("entries"))
        header = Header(entries=entries, **raw)
    except FileNotFoundError as error:
        raise ShardError(f"pack {path} does not exist", fix="copy it there") from error
    except OSError as error:
        raise ShardError(f"pack {path} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise ShardError(f"the header of {path} is damaged ({error})", fix=_COPY_AGAIN) from error
    expected = len(_MAGIC) + 8 + length + header.payload_bytes
    if size != expected:
        raise ShardError(
            f"pack {path.name} is truncated: {size} of {expected} bytes", fix=_COPY_AGAIN
        )
    return header


def read_documents(path: Path) -> Iterator[tuple[Entry, list[Tokens]]]:
    """The documents of a pack, entry by entry. Raises ShardError if its SHA-256 is wrong."""
    header = read_header(path)
    with path.open("rb") as file:
        file.seek(-header.payload_bytes, 2)
        body = file.read()
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise ShardError(f"pack {path.name} is damaged: its SHA-256 differs", fix=_COPY_AGAIN)
    raw = lzma.decompress(body)
    at = 0
    for entry in header.entries:
        lengths = np.frombuffer(raw, "<u4", entry.documents, at)
        at += lengths.nbytes
        tokens = np.frombuffer(raw, "<u2", entry.tokens, at)
        at += tokens.nbytes
        yield entry, np.split(tokens, np.cumsum(lengths.astype(np.int64))[:-1])
