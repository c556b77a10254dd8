"""Adapters that another process deletes or chooses while they are listed, chosen or deleted."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters import store as under_test
from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.manifest import MANIFEST_FILE
from diffusion.adapters.store import AdapterStore
from diffusion.errors import AdapterError
from tests.support.lsp_wire import WAIT_S
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
    whole = under_test.checked

    def check(folder: Path, *more: Any) -> Any:
        if folder.name == "gone":
            AdapterStore(home).delete("gone")
        return whole(folder, *more)

    monkeypatch.setattr(under_test, "checked", check)
    listed = {item.name: item.problem is None for item in AdapterStore(home).entries(BASE)}
    assert listed == {"damaged": False, "sound": True}


class Hooked(AdapterStore):
    """Calls `meanwhile` once, between reading what is served and writing it."""

    meanwhile: Any = None

    def _write_current(self, name: str | None, history: list[Any]) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super()._write_current(name, history)


def test_one_that_somebody_else_removes_meanwhile_is_deleted(home: RepositoryHome) -> None:
    store = Hooked(home)
    store.meanwhile = lambda: shutil.rmtree(home.adapters / "gone")
    store.delete("gone")
    assert not (home.adapters / "gone").exists()


def test_one_that_cannot_be_removed_is_named(
    home: RepositoryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "owned", lambda *_: home.adapters / "sound" / "in itself")
    with pytest.raises(AdapterError, match=r"sound could not be removed \(.*permissions"):
        AdapterStore(home).delete("sound")


def test_two_that_choose_at_once_take_turns(home: RepositoryHome) -> None:
    """Else what one of them served would not be gone back to."""
    first, waits = Hooked(home), threading.Event()
    second = AdapterStore(home, wait=lambda seconds: waits.set())
    other = threading.Thread(target=second.select, args=("gone",))

    def meanwhile() -> None:
        other.start()
        assert waits.wait(WAIT_S), "the second one does not wait for the first"

    first.meanwhile = meanwhile
    first.select("sound")
    other.join(WAIT_S)
    assert second.selected() == "gone"
    assert (second.rollback(), second.rollback()) == ("sound", None)


def test_who_waits_for_too_long_is_told(
    home: RepositoryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "_LONGEST_WAIT_S", 0.0)
    said = "another process is changing what repo serves"
    with AdapterStore(home)._changing(), pytest.raises(AdapterError, match=said):
        AdapterStore(home).select("sound")
    AdapterStore(home).select("sound")


def test_one_that_is_deleted_as_it_is_chosen_is_not_served(
    home: RepositoryHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = under_test.checked

    def checked(folder: Path, *more: Any) -> Any:
        found = whole(folder, *more)
        AdapterStore(home).delete(folder.name)
        return found

    monkeypatch.setattr(under_test, "checked", checked)
    with pytest.raises(AdapterError, match="has no adapter called sound"):
        AdapterStore(home).select("sound")
    AdapterStore(home).publish(manifest("sound"), WEIGHTS)
    assert AdapterStore(home).selected() is None
