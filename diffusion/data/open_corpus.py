"""Opens what `--corpus` names: a folder of shards, a folder with some packs of a set, or one pack.

Packs are unpacked once, into shards below `.unpacked` beside them, so that the processes and
data-loader workers of a run share the memory. Each pack is checked as a whole before its shards
appear; two processes that unpack the same pack at once do no harm.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from diffusion.data.made_with import MANIFEST, check_made_with, wrong_vocabulary
from diffusion.data.packs import SUFFIX, Header, read_documents, read_header
from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import CorpusError

__all__ = ["MANIFEST", "UNPACKED", "Corpus", "open_corpus", "pack_paths"]

UNPACKED = ".unpacked"


@dataclass(frozen=True, slots=True)
class Corpus:
    """The two splits, and how much of a set of packs they come from (0 of 0 for shards)."""

    train: ShardSet
    validation: ShardSet
    packs: int = 0
    packs_in_set: int = 0


def pack_paths(corpus: Path) -> list[Path]:
    """The packs that `corpus` names, in order; none for a folder of shards."""
    if corpus.suffix == SUFFIX:
        return [corpus]
    return sorted(corpus.glob(f"*{SUFFIX}"))


def open_corpus(corpus: Path, tokenizer_hash: str) -> Corpus:
    """Open all of `corpus`.

    Raises CorpusError (ShardError for a pack) where it is missing, damaged, unfinished or of
    another set, and TokenizerError where it was made with another vocabulary.
    """
    paths = pack_paths(corpus)
    if not paths:
        if not corpus.is_dir():
            raise CorpusError(
                f"corpus {corpus} does not exist; run `diffill corpus build --out {corpus}`, or "
                "name a folder of packs"
            )
        check_made_with(corpus, tokenizer_hash)
        return Corpus(ShardSet.open(corpus, "train"), ShardSet.open(corpus, "validation"))
    headers = [(path, read_header(path)) for path in paths]
    first = headers[0][1]
    for path, header in headers:
        if header.tokenizer_hash != tokenizer_hash:
            raise wrong_vocabulary(path, header.tokenizer_hash, tokenizer_hash)
        if header.set_id != first.set_id:
            raise CorpusError(
                f"packs {paths[0].name} and {path.name} come from different corpora; keep those "
                "of one `diffill corpus pack` in the folder"
            )
    folders = [_unpacked(path, header) for path, header in headers]
    return Corpus(
        ShardSet.open_all(folders, "train"),
        ShardSet.open(folders[0], "validation"),  # the same in every pack
        len(headers),
        first.of,
    )


def _unpacked(path: Path, header: Header) -> Path:
    """The folder of a pack's shards, made if it is not there yet."""
    folder = path.parent / UNPACKED / f"{header.number:03}-{header.sha256[:16]}"
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.part-{os.getpid()}")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        for entry, documents in read_documents(path):
            write_shard(
                partial / f"{entry.split}-{entry.language}-{header.number:03}.bin", documents
            )
        if not folder.is_dir():
            partial.rename(folder)
    except OSError as error:
        if folder.is_dir():  # another process was faster
            return folder
        raise CorpusError(
            f"pack {path.name} cannot be unpacked into {folder.parent} ({error.strerror}); "
            "free some disk space, or move the packs to a folder that can be written to"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder
