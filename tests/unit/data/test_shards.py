"""Shards are read back as they were written, and a disk that is full is told of as such."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from diffusion.data.shards import ShardSet, write_shard
from diffusion.errors import CorpusError

FULL = Path("/dev/full")


def test_round_trip(tmp_path: Path) -> None:
    documents = [[1, 2, 65_535], [], [7]]
    assert write_shard(tmp_path / "train-python-000.bin", documents) == 4
    found = ShardSet.open(tmp_path, "train")["python"]
    assert [ids.tolist() for ids in found] == documents
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "train-python-000.bin", "train-python-000.idx.npy",
    ]  # fmt: skip


@pytest.mark.parametrize("documents", [[], [[]]])
def test_nothing_to_write_is_written(tmp_path: Path, documents: list[list[int]]) -> None:
    assert write_shard(tmp_path / "train-c-000.bin", documents) == 0
    assert (tmp_path / "train-c-000.bin").read_bytes() == b""
    assert np.load(tmp_path / "train-c-000.idx.npy").tolist() == [0] * (len(documents) + 1)


SHARD = "train-python-000.bin"


@pytest.mark.parametrize("damage", [b"", b"\x80\x04K\x01.", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_a_damaged_index_is_told_of(tmp_path: Path, damage: bytes) -> None:
    write_shard(tmp_path / SHARD, [[1, 2], [3]])
    (tmp_path / SHARD).with_suffix(".idx.npy").write_bytes(damage)
    with pytest.raises(CorpusError, match=f"{SHARD} or its index cannot be read"):
        ShardSet.open(tmp_path, "train")


@pytest.mark.parametrize("offsets", [[], [1, 3], [0, 4, 3], [0, 2], [0, 2, 2**64 - 1]])
def test_offsets_that_do_not_fit_are_told_of(tmp_path: Path, offsets: list[int]) -> None:
    write_shard(tmp_path / SHARD, [[1, 2], [3]])
    np.save((tmp_path / SHARD).with_suffix(".idx.npy"), np.array(offsets, np.uint64))
    with pytest.raises(CorpusError, match=SHARD):
        ShardSet.open(tmp_path, "train")


def test_every_cut_and_flip_of_an_index_is_told_of(tmp_path: Path) -> None:
    write_shard(tmp_path / SHARD, [[1, 2], [3]])
    index = (tmp_path / SHARD).with_suffix(".idx.npy")
    whole = index.read_bytes()
    start = whole.index(b"\n") + 1
    for at in range(start + 24):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]):
            index.write_bytes(damaged)
            if at in (8, 9) and len(damaged) == len(whole):  # how long the head is: not needed
                continue
            with pytest.raises(CorpusError):
                ShardSet.open(tmp_path, "train")


def test_tokens_that_were_altered_are_told_of(tmp_path: Path) -> None:
    write_shard(tmp_path / SHARD, [[1, 2], [3]])
    (tmp_path / SHARD).write_bytes(bytes(6))
    with pytest.raises(CorpusError, match=f"shard {SHARD} is damaged: its SHA-256 differs; delete"):
        ShardSet.open(tmp_path, "train")


def test_shards_of_before_the_digest_are_opened(tmp_path: Path) -> None:
    write_shard(tmp_path / SHARD, [[1, 2], [3]])
    index = (tmp_path / SHARD).with_suffix(".idx.npy")
    np.save(index, np.load(index))
    found = ShardSet.open(tmp_path, "train")["python"]
    assert [ids.tolist() for ids in found] == [[1, 2], [3]]


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("part", [".bin.part", ".idx.part.npy"])
def test_a_full_disk_has_its_number(tmp_path: Path, part: str) -> None:
    (tmp_path / f"train-python-000{part}").symlink_to(FULL)
    with pytest.raises(OSError) as caught:
        write_shard(tmp_path / "train-python-000.bin", [[1] * 100_000])
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "train-python-000.bin").exists()
