"""Adapters on disk: published whole, selected, rolled back, carried, refused with the reason."""

from __future__ import annotations

import json
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from diffusion.adapters import store as under_test
from diffusion.adapters.home import (
    NOTE_FILE,
    RepositoryHome,
    holds_another,
    home_of,
    note_repository,
)
from diffusion.adapters.manifest import (
    LONGEST_NAME,
    LORA,
    MANIFEST_FILE,
    WEIGHTS_FILE,
    AdapterManifest,
    Base,
    check,
)
from diffusion.adapters.store import CURRENT_FILE, AdapterStore
from diffusion.errors import AdapterError, PublishError
from tests.support.disk import smallest_files

BASE = Base("b" * 64, "tokenizer-hash")
WEIGHTS = save({"layer.lora_A": torch.ones(2, 4), "layer.lora_B": torch.ones(4, 2)})


def manifest(name: str, created: str = "2026-01-01T00:00:00+00:00") -> AdapterManifest:
    return AdapterManifest(
        name, created, LORA, 2.0, BASE.weights_sha256, BASE.tokenizer_hash, "digest",
        {"held_out": {"cases": 3}},
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> AdapterStore:
    return AdapterStore(RepositoryHome(tmp_path / "repo", tmp_path / "home"))


def test_what_is_published_is_listed_the_newest_first(store: AdapterStore) -> None:
    store.publish(manifest("one"), WEIGHTS)
    store.publish(manifest("two", "2026-02-01T00:00:00+00:00"), WEIGHTS)
    assert [item.name for item in store.entries(BASE)] == ["two", "one"]
    assert all(item.problem is None for item in store.entries(BASE))
    assert store.selected() is None
    assert store.free_name("one") == "one-2"
    with pytest.raises(PublishError, match="one already"):
        store.publish(manifest("one"), WEIGHTS)


def test_a_free_name_may_be_used_however_long_the_wanted_one_is(store: AdapterStore) -> None:
    store.publish(manifest("a" * LONGEST_NAME), WEIGHTS)
    store.publish(manifest(store.free_name("a" * LONGEST_NAME)), WEIGHTS)
    assert {item.name for item in store.entries()} == {"a" * LONGEST_NAME, "a" * 78 + "-2"}


def test_rollback_goes_back_step_by_step_and_delete_leaves_the_base(store: AdapterStore) -> None:
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)
        store.select(name, BASE)
    assert store.rollback() == "one"
    assert store.rollback() is None
    with pytest.raises(AdapterError, match="served nothing else"):
        store.rollback()
    store.select("two", BASE)
    store.delete("two")
    assert store.selected() is None
    with pytest.raises(AdapterError, match="choose one of these: one"):
        store.select("two", BASE)


def test_what_is_deleted_is_not_gone_back_to_under_its_name(store: AdapterStore) -> None:
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)
        store.select(name, BASE)
    store.delete("one")
    store.publish(manifest("one"), WEIGHTS)
    assert store.rollback() is None


def test_what_is_chosen_twice_is_not_what_was_served_before(store: AdapterStore) -> None:
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)
        store.select(name, BASE)
    for _ in range(25):  # more often than what was served is remembered
        store.select("two", BASE)
    assert store.rollback() == "one"
    store.select(None)
    store.select(None)
    assert store.rollback() == "one"
    # As an earlier version may have written it.
    (store.folder / CURRENT_FILE).write_text('{"selected": "two", "history": ["one", "two"]}')
    assert store.rollback() == "one"


def test_of_what_was_served_the_last_ones_are_remembered(store: AdapterStore) -> None:
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)
    served = [None, "one"] * 20
    (store.folder / CURRENT_FILE).write_text(json.dumps({"selected": "one", "history": served}))
    store.select("two", BASE)
    remembered = json.loads((store.folder / CURRENT_FILE).read_text())["history"]
    assert remembered == [*served, "one"][-len(remembered) :] and len(remembered) == 20
    assert store.rollback() == "one"


def test_rollback_passes_over_what_is_for_another_model(store: AdapterStore) -> None:
    store.publish(manifest("one"), WEIGHTS)
    store.select("one", BASE)
    store.publish(replace(manifest("theirs"), base_sha256="0" * 64), WEIGHTS)
    store.select("theirs")
    store.publish(manifest("two"), WEIGHTS)
    store.select("two", BASE)
    passed_over: list[str] = []
    assert store.rollback(BASE, passed_over.append) == store.selected() == "one"
    assert len(passed_over) == 1 and "theirs was made for another base model" in passed_over[0]


def test_rollback_passes_over_what_cannot_be_served_and_says_why(store: AdapterStore) -> None:
    for name in ("one", "two", "three", "four"):
        store.publish(manifest(name), WEIGHTS)
        store.select(name, BASE)
    weights = store.folder / "three" / WEIGHTS_FILE
    weights.write_bytes(WEIGHTS[:-1])
    shutil.rmtree(store.folder / "two")
    passed_over: list[str] = []
    assert store.rollback(pass_over=passed_over.append) == store.selected() == "one"
    assert "is truncated" in passed_over[0] and "no adapter called two" in passed_over[1]
    assert len(passed_over) == 2 and store.rollback() is None


def test_another_model_or_vocabulary_is_refused(store: AdapterStore) -> None:
    store.publish(manifest("one"), WEIGHTS)
    with pytest.raises(AdapterError, match="another base model"):
        store.select("one", Base("c" * 64, BASE.tokenizer_hash))
    with pytest.raises(AdapterError, match="another tokenizer"):
        store.select("one", Base(BASE.weights_sha256, "other"))
    [item] = store.entries(Base("c" * 64, BASE.tokenizer_hash))
    assert item.problem is not None and "another base model" in item.problem
    assert store.selected() is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-7], "is truncated"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "SHA-256 differs"),
        (lambda data: data + b"x", "SHA-256 differs"),
    ],
)
def test_damaged_weights_are_refused(store: AdapterStore, damage, said: str) -> None:  # type: ignore[no-untyped-def]
    file = store.publish(manifest("one"), WEIGHTS) / WEIGHTS_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(AdapterError, match=said):
        check(file.parent, BASE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 99}, "update Diffill"),
        ({"name": "../out"}, "cannot be called"),
        ({"name": "one."}, "cannot be called"),  # Windows takes the dot away
        ({"method": "magic"}, "no known method"),
        ({"files": 3}, "no adapter's manifest"),
        ({"scale": "much"}, "no adapter's manifest"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"scale": 1e30}, "scale is 1e"),
        ({"scale": 0}, "scale is 0"),
        ({"name": 5}, "name is 5"),
        ({"name": "one\ntwo"}, "name is 'one"),
        ({"base_sha256": 7}, "base_sha256 is 7"),
        ({"tokenizer_hash": None}, "tokenizer_hash is None"),
        ({"created": 5}, "created is 5"),
        ({"created": "yesterday"}, "no adapter's manifest"),
        ({"figures": "x"}, "figures is 'x'"),
        ({"format_version": float("inf")}, "no adapter's manifest"),
    ],
)
def test_manifests_that_make_no_sense_are_refused(
    store: AdapterStore, change: dict[str, object], said: str
) -> None:
    folder = store.publish(manifest("one"), WEIGHTS)
    raw = json.loads((folder / MANIFEST_FILE).read_text())
    (folder / MANIFEST_FILE).write_text(json.dumps(raw | change))
    with pytest.raises(AdapterError, match=said):
        check(folder, BASE)
    [item] = store.entries(BASE)
    assert item.problem is not None and item.manifest is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str
)
def test_weights_that_are_no_numbers_are_refused_by_whoever_takes_them(
    store: AdapterStore, tmp_path: Path, dtype: torch.dtype, number: float
) -> None:
    tensor = torch.full((2, 4), torch.finfo(dtype).max, dtype=dtype)
    store.publish(manifest("sound"), save({"layer.lora_A": tensor}))
    store.select("sound", BASE)
    tensor[1, 2] = number
    store.publish(manifest("broken"), save({"layer.lora_A": tensor}))
    file = tmp_path / "broken.diffill-adapter"
    with zipfile.ZipFile(file, "w") as archive:
        for name in (MANIFEST_FILE, WEIGHTS_FILE):
            archive.write(store.folder / "broken" / name, name)
    for taken in (lambda: store.select("broken", BASE), lambda: store.import_file(file, BASE)):
        with pytest.raises(AdapterError, match=r"'layer.lora_A' holds NaN or infinity"):
            taken()
    assert store.selected() == "sound"
    assert {item.name: item.problem is None for item in store.entries(BASE)} == {
        "sound": True, "broken": False,
    }  # fmt: skip


def test_weights_of_a_type_that_training_does_not_make_are_refused(store: AdapterStore) -> None:
    store.publish(manifest("one"), save({"layer.lora_A": torch.ones(2, dtype=torch.int8)}))
    store.publish(manifest("two"), b"no tensors")
    for name, said in (("one", "is of type I8"), ("two", "is damaged")):
        with pytest.raises(AdapterError, match=said):
            store.select(name, BASE)


def test_others_may_read_what_was_exported_where_new_files_can_be_read(
    store: AdapterStore, tmp_path: Path
) -> None:
    store.publish(manifest("one"), WEIGHTS)
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    file = store.export("one", tmp_path / "one.diffill-adapter")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_one_file_carries_an_adapter(store: AdapterStore, tmp_path: Path) -> None:
    store.publish(manifest("one"), WEIGHTS)
    file = store.export("one", tmp_path / "one.diffill-adapter")
    other = AdapterStore(RepositoryHome(tmp_path / "other", tmp_path / "other-home"))
    assert other.import_file(file, BASE) == "one"
    assert other.import_file(file, BASE) == "one-2"
    with pytest.raises(AdapterError, match="cannot be called"):
        other.import_file(file, BASE, "")
    assert check(other.folder / "one-2", BASE).name == "one-2"
    assert (other.folder / "one" / WEIGHTS_FILE).read_bytes() == WEIGHTS


def test_a_bad_file_is_refused_and_leaves_nothing(store: AdapterStore, tmp_path: Path) -> None:
    store.publish(manifest("one"), WEIGHTS)
    good = store.export("one", tmp_path / "good")
    cut = tmp_path / "cut"
    cut.write_bytes(good.read_bytes()[:-30])
    sneaky, swapped = tmp_path / "sneaky", tmp_path / "swapped"
    with zipfile.ZipFile(sneaky, "w") as archive:
        archive.writestr("../../evil", b"")
    packed, damaged, other = tmp_path / "packed", tmp_path / "damaged", tmp_path / "other"
    for path, how in ((packed, zipfile.ZIP_DEFLATED), (other, zipfile.ZIP_LZMA)):
        with zipfile.ZipFile(path, "w", how) as archive:
            for name in (MANIFEST_FILE, WEIGHTS_FILE):
                archive.write(store.folder / "one" / name, name)
    content = bytearray(packed.read_bytes())
    content[60:70] = b"\xff" * 10  # in the compressed manifest
    damaged.write_bytes(content)
    with zipfile.ZipFile(swapped, "w") as archive:
        archive.writestr(MANIFEST_FILE, (store.folder / "one" / MANIFEST_FILE).read_bytes())
        archive.writestr(WEIGHTS_FILE, b"\0" * len(WEIGHTS))
    for file, said in (
        (cut, "cut short"), (sneaky, "no exported adapter"), (swapped, "SHA-256 differs"),
        (tmp_path / "none", "there is no file .*none; check its name"),
        (tmp_path, "cannot be read .*; name a file that"),
        (damaged, "cannot be read"), (other, "another way"),
    ):  # fmt: skip
        with pytest.raises(AdapterError, match=said):
            store.import_file(file, BASE, "bad")
    with pytest.raises(AdapterError, match="another base model"):
        store.import_file(good, replace(BASE, weights_sha256="c" * 64), "bad")
    assert store.import_file(packed, BASE, "packed") == "packed"
    assert {item.name for item in store.entries()} == {"one", "packed"}


def test_what_would_fill_the_memory_is_not_unpacked(
    store: AdapterStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.publish(manifest("one"), WEIGHTS)
    file = store.export("one", tmp_path / "one.diffill-adapter")
    most = sum(part.stat().st_size for part in folder.iterdir())
    monkeypatch.setattr(under_test, "_MOST_BYTES", most - 1)
    with pytest.raises(AdapterError, match="too large for an adapter"):
        store.import_file(file, BASE)
    assert [item.name for item in store.entries()] == ["one"]
    monkeypatch.setattr(under_test, "_MOST_BYTES", most)
    assert store.import_file(file, BASE) == "one-2"


def test_a_full_disk_leaves_no_half_adapter(store: AdapterStore) -> None:
    big = save({"layer.lora_A": torch.ones(256, 256)})
    with smallest_files(10_000), pytest.raises(PublishError, match="free some disk space"):
        store.publish(manifest("one"), big)
    assert store.entries() == []
    assert list(store.folder.glob(".part-*")) == []


def test_a_damaged_choice_serves_the_base_model(store: AdapterStore) -> None:
    store.publish(manifest("one"), WEIGHTS)
    store.select("one", BASE)
    for text in ("{", *(json.dumps({"selected": name}) for name in ("a" * 300, "../one", "a\0b"))):
        (store.folder / CURRENT_FILE).write_text(text)
        assert store.selected() is None
        assert [item.selected for item in store.entries()] == [False]


def test_a_home_is_of_another_repository_where_most_of_the_files_are_gone(tmp_path: Path) -> None:
    home = RepositoryHome(tmp_path / "repo", tmp_path / "home")
    home.root.mkdir()
    files = [home.root / f"{name}.py" for name in "abcd"]
    for file in files:
        file.write_text("")
    assert not holds_another(home, "one"), "nothing is known of them"
    note_repository(home, "one", [file.name for file in files])
    found = [holds_another(home, "one")]
    for file in files:
        file.unlink()
        found.append(holds_another(home, "one"))
    assert found == [False, False, False, True, True]


def test_the_files_of_one_adapter_say_nothing_of_another(tmp_path: Path) -> None:
    home = RepositoryHome(tmp_path / "repo", tmp_path / "home")
    home.root.mkdir()
    (home.root / "new.py").write_text("")
    for name in ("old", "new"):
        (home.adapters / name).mkdir(parents=True)
        note_repository(home, name, [f"{name}.py"])
    assert holds_another(home, "old") and not holds_another(home, "new")
    assert not holds_another(home, "imported"), "nothing is known of it"
    (home.adapters / "old").rmdir()
    note_repository(home, "new", ["new.py"])
    assert not holds_another(home, "old"), "it is gone, and what was known of it"


def test_a_note_from_before_adapters_had_their_own_holds_for_those(tmp_path: Path) -> None:
    home = RepositoryHome(tmp_path / "repo", tmp_path / "home")
    (home.root / "b.py").mkdir(parents=True)
    home.folder.mkdir()
    (home.folder / NOTE_FILE).write_text(json.dumps({"root": "/", "files": ["a.py"]}))
    assert holds_another(home, "old")
    note_repository(home, "new", ["b.py"])
    assert holds_another(home, "old") and not holds_another(home, "new")


@pytest.mark.parametrize("name", ["r" * 250, "é" * 127, "字" * 85])
def test_a_repository_may_have_a_long_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    (tmp_path / name).mkdir()
    home = home_of(tmp_path / name)
    home.run.mkdir(parents=True)
    assert home.folder.name.startswith(name[:40])
    assert home_of(tmp_path / "usual").folder.name.startswith("usual-")


def test_a_home_is_outside_of_its_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src").mkdir()
    inner, outer = home_of(tmp_path / "repo" / "src"), home_of(tmp_path / "repo")
    assert inner == outer and inner.root == tmp_path / "repo"
    assert inner.folder.is_relative_to(tmp_path / "data")
    assert home_of(tmp_path / "repo2").folder != inner.folder
