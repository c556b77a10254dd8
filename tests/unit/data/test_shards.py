"""Shards are read back as they were written, and a disk that is full is told of as such."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from diffusion.data.shards import ShardSet, write_shard

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


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("part", [".bin.part", ".idx.part.npy"])
def test_a_full_disk_has_its_number(tmp_path: Path, part: str) -> None:
    (tmp_path / f"train-python-000{part}").symlink_to(FULL)
    with pytest.raises(OSError) as caught:
        write_shard(tmp_path / "train-python-000.bin", [[1] * 100_000])
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "train-python-000.bin").exists()
