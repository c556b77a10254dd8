"""What was checked is not read again, and what was written to since is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters import checked as under_test
from diffusion.adapters.checked import checked
from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.manifest import WEIGHTS_FILE, Base
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError
from tests.unit.adapters.test_store import BASE, WEIGHTS, manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = RepositoryHome(tmp_path / "repo", tmp_path / "home")
    return AdapterStore(home).publish(manifest("one"), WEIGHTS)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The adapters whose weights were read, in order."""
    names: list[str] = []
    whole = under_test.check

    def check(folder: Path, *more: Any) -> Any:
        names.append(folder.name)
        return whole(folder, *more)

    monkeypatch.setattr(under_test, "check", check)
    return names


def damage(folder: Path, mtime_ns: int | None = None) -> None:
    """Other bytes, as many, in the same file, which by default looks as old as it was."""
    path = folder / WEIGHTS_FILE
    before = path.stat()
    path.write_bytes(bytes(len(WEIGHTS)))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns if mtime_ns is None else mtime_ns))


def test_weights_that_were_found_sound_are_not_read_again(
    folder: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "_SETTLED_NS", 0)
    assert [checked(folder, BASE).name for _ in range(3)] == ["one"] * 3 and read == ["one"]
    with pytest.raises(AdapterError, match="another tokenizer"):
        checked(folder, Base(BASE.weights_sha256, "other"))
    damage(folder, mtime_ns=1)
    for _ in range(2):
        with pytest.raises(AdapterError, match="SHA-256 differs"):
            checked(folder, BASE)
    assert read == ["one"] * 3


def test_weights_that_were_written_just_now_are_read_again(folder: Path, read: list[str]) -> None:
    """A second write may leave no trace, where the clock of the file system is a slow one."""
    checked(folder)
    damage(folder)
    with pytest.raises(AdapterError, match="SHA-256 differs"):
        checked(folder)
    assert read == ["one"] * 2


def test_another_manifest_is_for_other_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "_SETTLED_NS", 0)
    whole = checked(folder)
    sha = whole.files[WEIGHTS_FILE].sha256
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace(sha, "0" * 64))
    with pytest.raises(AdapterError, match="SHA-256 differs"):
        checked(folder)
