"""Which adapter the settings mean, for the folder that is open."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from diffusion.adapters.home import NOTE_FILE, home_of, note_repository
from diffusion.adapters.manifest import MANIFEST_FILE, WEIGHTS_FILE, check
from lsp_server.training.reload import Chosen, chosen_adapter
from tests.support.adapters import publish


def test_another_repository_in_the_folder_inherits_no_adapter(
    repository: Path, tiny_model_dir: Path
) -> None:
    publish(repository, tiny_model_dir, "one").select("one")
    for name in ("a.py", "b.py", "c.py"):
        (repository / name).write_text("pass\n")
    note_repository(home_of(repository), "one", ["a.py", "b.py", "c.py"])
    (repository / "a.py").unlink()
    assert chosen_adapter("auto", repository).name == "one", "most files are still there"
    (repository / "b.py").unlink()
    chosen = chosen_adapter("auto", repository)
    assert chosen.folder == "" and "most files that adapter one was tuned on are gone" in str(
        chosen.problem
    )
    note_repository(home_of(repository), "two", ["c.py"])
    assert chosen_adapter("auto", repository).folder == "", "of another adapter's files"
    assert chosen_adapter("one", repository).name == "one", "who names it, gets it"
    (home_of(repository).folder / NOTE_FILE).write_text("[]")
    assert chosen_adapter("auto", repository).name == "one", "nothing is known of its files"


def test_another_adapter_of_the_same_name_is_another(
    repository: Path, tiny_model_dir: Path
) -> None:
    store = publish(repository, tiny_model_dir, "one")
    store.select("one")
    before = chosen_adapter("auto", repository)
    manifest = check(store.folder / "one")
    store.delete("one")
    store.publish(manifest, save({"x": np.zeros(1, np.float32)}))
    store.select("one")
    after = chosen_adapter("auto", repository)
    assert (before.folder, before.name) == (after.folder, after.name)
    assert before.sha256 and after.sha256 and before.sha256 != after.sha256


def test_a_relative_folder_is_meant_from_the_open_one(
    repository: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = publish(repository, tiny_model_dir, "one")
    shutil.copytree(store.folder, repository / "shared")
    for text in ("./shared", "shared/one", str(repository / "shared")):
        assert chosen_adapter(text, repository, str(tiny_model_dir)).name == "one"
    said = str(chosen_adapter("./none", repository, str(tiny_model_dir)).problem)
    assert said.startswith(f"{repository / 'none'} is no folder")
    monkeypatch.chdir(tmp_path)
    said = str(chosen_adapter("./none", None, str(tiny_model_dir)).problem)
    assert said.startswith(f"{tmp_path / 'none'} is no folder")


def test_the_setting_says_which_adapter(repository: Path, tiny_model_dir: Path) -> None:
    store = publish(repository, tiny_model_dir, "one", "two")
    store.select("one")
    assert chosen_adapter("auto", repository).name == "one"
    assert chosen_adapter("two", repository).name == "two"
    assert chosen_adapter("none", repository) == chosen_adapter("auto", None) == Chosen()
    assert chosen_adapter(str(store.folder / "two"), None).name == "two"
    assert "no folder is open" in str(chosen_adapter("two", None).problem)
    assert "no adapter called three" in str(chosen_adapter("three", repository).problem)
    for text in ("~nobody-of-that-name/two", "two\0/two"):
        assert "write the path out" in str(chosen_adapter(text, repository).problem)
    weights = store.folder / "one" / WEIGHTS_FILE
    weights.write_bytes(b"\0" * len(save({})))
    assert chosen_adapter("auto", repository).name == "one", "whoever loads it reads it"
    weights.write_bytes(b"\0" * (len(save({})) - 1))
    assert chosen_adapter("two", repository).problem is None
    assert "is truncated" in str(chosen_adapter("auto", repository).problem)
    damaged = store.folder / "one" / MANIFEST_FILE
    damaged.write_text(damaged.read_text().replace(WEIGHTS_FILE, "other"))
    assert "says nothing of" in str(chosen_adapter("auto", repository).problem)
