"""Hashes of files, remembered while the files stay the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from diffusion.model import digests
from diffusion.model.digests import sha256_of


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is hashed."""
    pieces: list[bytes] = []

    class Told:
        def __init__(self) -> None:
            self._inner = hashlib.new("sha256")

        def update(self, piece: memoryview) -> None:
            pieces.append(bytes(piece))
            self._inner.update(piece)

        def hexdigest(self) -> str:
            return self._inner.hexdigest()

    monkeypatch.setattr(digests.hashlib, "sha256", Told)
    monkeypatch.setattr(digests, "_known", {})
    return pieces


def old(path: Path, data: bytes) -> Path:
    """A file that was last written long ago, if one may believe the clock."""
    path.write_bytes(data)
    os.utime(path, (1, 1))
    return path


def test_a_file_that_stays_is_hashed_once(
    tmp_path: Path, read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = old(tmp_path / "a", b"weights")
    monkeypatch.setattr(digests, "_RACY_S", -1.0)  # its number's last change is a moment ago
    expected = (7, hashlib.new("sha256", b"weights").hexdigest())
    assert [sha256_of(file), sha256_of(file)] == [expected, expected]
    assert read == [b"weights"]
    file.write_bytes(b"WEIGHTS")
    assert sha256_of(file)[1] == hashlib.new("sha256", b"WEIGHTS").hexdigest()
    assert read == [b"weights", b"WEIGHTS"]


def test_a_file_that_was_just_written_is_hashed_again(tmp_path: Path, read: list[bytes]) -> None:
    file = old(tmp_path / "a", b"one")
    sha256_of(file)
    sha256_of(file)
    assert read == [b"one", b"one"], "times of changes lie as they like; that of the number tells"


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "none")
