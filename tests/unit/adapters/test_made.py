"""Of the adapters that nobody asked for, the newest stay; those of people all do."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.adapters.home import RepositoryHome
from diffusion.adapters.made import KEPT, MADE_FILE, note_made, thin_out
from diffusion.adapters.manifest import check
from diffusion.adapters.store import AdapterStore
from tests.unit.adapters.test_store import WEIGHTS, manifest


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(RepositoryHome(tmp_path / "repo", tmp_path / "home"))


def publish(store: AdapterStore, *days: int, by_itself: bool = True, prefix: str = "day") -> None:
    for day in days:
        folder = store.publish(manifest(f"{prefix}-{day}", f"2026-01-0{day}"), WEIGHTS)
        if by_itself:
            note_made(store, check(folder))


def names(store: AdapterStore) -> list[str]:
    return sorted(entry.name for entry in store.entries())


def test_the_newest_stay_and_what_people_made(store: AdapterStore) -> None:
    publish(store, 1, 2, 3, 4, 5)
    publish(store, 1, 2, by_itself=False, prefix="mine")
    assert KEPT == 3
    assert thin_out(store) == ["day-2", "day-1"]
    assert names(store) == ["day-3", "day-4", "day-5", "mine-1", "mine-2"]
    assert thin_out(store) == []


def test_what_is_selected_stays_until_it_is_not(store: AdapterStore) -> None:
    publish(store, 1, 2, 3, 4)
    store.select("day-1")
    assert thin_out(store) == [] and len(names(store)) == 4
    store.select("day-4")
    assert thin_out(store) == ["day-1"] and store.selected() == "day-4"


def test_another_adapter_of_the_same_name_stays(store: AdapterStore) -> None:
    publish(store, 1, 2, 3, 4)
    store.delete("day-1")
    other = manifest("day-1", "2026-01-01")
    store.publish(other, WEIGHTS.replace(b"lora_A", b"lora_C"))
    assert thin_out(store) == [] and len(names(store)) == 4


def test_what_cannot_be_told_apart_stays(store: AdapterStore) -> None:
    publish(store, 1, 2, 3, 4)
    (store.folder / MADE_FILE).write_text("[")
    assert thin_out(store) == [] and len(names(store)) == 4
