"""Adapters that another process deletes while they are listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters import store as under_test
from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.manifest import MANIFEST_FILE
from diffusion.adapters.store import AdapterStore
from tests.unit.adapters.test_store import BASE, WEIGHTS, manifest


class Raced(AdapterStore):
    """Another window deletes `gone` right after the names were read."""

    def _names(self) -> list[str]:
        names = super()._names()
        if "gone" in names:
            AdapterStore(self.home).delete("gone")
        return names


@pytest.fixture
def home(tmp_path: Path) -> RepositoryHome:
    home = RepositoryHome(tmp_path / "repo", tmp_path / "home")
    for name in ("damaged", "gone", "sound"):
        AdapterStore(home).publish(manifest(name), WEIGHTS)
    (home.adapters / "damaged" / MANIFEST_FILE).unlink()
    return home


def test_one_that_is_deleted_before_it_is_looked_at_is_left_out(home: RepositoryHome) -> None:
    listed = {item.name: item.problem is None for item in Raced(home).entries(BASE)}
    assert listed == {"damaged": False, "sound": True}


def test_one_that_is_deleted_while_it_is_looked_at_is_left_out(
    home: RepositoryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = under_test.check

    def check(folder: Path, *more: Any) -> Any:
        if folder.name == "gone":
            AdapterStore(home).delete("gone")
        return whole(folder, *more)

    monkeypatch.setattr(under_test, "check", check)
    listed = {item.name: item.problem is None for item in AdapterStore(home).entries(BASE)}
    assert listed == {"damaged": False, "sound": True}
