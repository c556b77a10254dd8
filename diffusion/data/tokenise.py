"""Writes the shards of a plan: reads files, cuts documents, encodes, stores tokens and counts.

A shard is finished when its counts file exists; counts are written after the shard itself, so an
interrupted run repeats at most the shards it was working on and gives the same bytes.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

from diffusion.data.documents import documents_of
from diffusion.data.fetch import digest
from diffusion.data.plan import Plan, ShardPlan
from diffusion.data.scan import read_file
from diffusion.data.shards import write_shard
from diffusion.errors import CorpusError
from diffusion.text.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ShardCounts:
    """What one shard holds. by_package maps a package to [files, bytes, tokens]."""

    name: str
    split: str
    language: str
    files: int
    documents: int
    bytes: int
    tokens: int
    sha256: str
    by_package: dict[str, list[int]]


def write_planned_shard(
    shard: ShardPlan, raw: Path, out_dir: Path, tokenizer: Tokenizer
) -> ShardCounts:
    """Encode one shard's files and write it with its index and its counts."""
    arrays: list[list[int]] = []
    packages: dict[str, list[int]] = {}
    size = 0
    for package, path in shard.files:
        read = read_file(raw / package, path)
        if read is None:
            raise CorpusError(
                f"{package}/{path} was surveyed but cannot be read now; fetch the package again"
            )
        documents = documents_of(f"{package}/{path}", read[1])
        encoded = [tokenizer.encode(document) for document in documents]
        length = sum(map(len, documents))
        size += length
        counts = packages.setdefault(package, [0, 0, 0])
        counts[0] += 1
        counts[1] += length
        counts[2] += sum(map(len, encoded))
        arrays += encoded
    path_out = out_dir / f"{shard.name}.bin"
    tokens = write_shard(path_out, arrays)
    result = ShardCounts(
        name=shard.name,
        split=shard.split,
        language=shard.language,
        files=len(shard.files),
        documents=len(arrays),
        bytes=size,
        tokens=tokens,
        sha256=digest(path_out),
        by_package=dict(sorted(packages.items())),
    )
    counts_path = _counts_path(out_dir, shard.name)
    part = counts_path.with_suffix(".part")
    part.write_text(json.dumps(asdict(result)), encoding="utf-8")
    os.replace(part, counts_path)
    return result


def _counts_path(out_dir: Path, name: str) -> Path:
    return out_dir / "counts" / f"{name}.json"


_worker_tokenizer: list[Tokenizer] = []


def _start_worker(tokenizer_path: Path, niceness: int) -> None:
    os.nice(niceness)
    _worker_tokenizer[:] = [Tokenizer.load(tokenizer_path)]


def _work(shard: ShardPlan, raw: Path, out_dir: Path) -> ShardCounts:
    return write_planned_shard(shard, raw, out_dir, _worker_tokenizer[0])


def write_shards(
    plan: Plan,
    raw: Path,
    out_dir: Path,
    tokenizer_path: Path,
    *,
    workers: int,
    niceness: int = 0,
    on_shard: Callable[[ShardCounts, int, int], None] | None = None,
) -> list[ShardCounts]:
    """Write every shard of the plan that is not finished; returns the counts in plan order."""
    (out_dir / "counts").mkdir(parents=True, exist_ok=True)
    done: dict[str, ShardCounts] = {}
    todo = []
    for shard in plan.shards:
        path = _counts_path(out_dir, shard.name)
        if path.exists() and (out_dir / f"{shard.name}.bin").exists():
            done[shard.name] = ShardCounts(**json.loads(path.read_text(encoding="utf-8")))
        else:
            todo.append(shard)
    with ProcessPoolExecutor(
        workers, initializer=_start_worker, initargs=(tokenizer_path, niceness)
    ) as pool:
        jobs = [pool.submit(_work, shard, raw, out_dir) for shard in todo]
        try:
            for job in as_completed(jobs):
                counts = job.result()
                done[counts.name] = counts
                if on_shard is not None:
                    on_shard(counts, len(done), len(plan.shards))
        except OSError as error:
            for job in jobs:
                job.cancel()
            if error.errno == errno.ENOSPC:
                raise CorpusError(
                    f"the disk holding {out_dir} is full; free space and run the build again, "
                    "finished shards are kept"
                ) from error
            raise
    return [done[shard.name] for shard in plan.shards]
