"""`diffill adapters` from the outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.adapters.home import home_of
from diffusion.adapters.store import AdapterStore
from lsp_server.commands import app
from tests.unit.adapters.test_store import WEIGHTS, manifest


def test_of_several_adapters_all_are_deleted_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    repo = tmp_path / "repo"
    repo.mkdir()
    store = AdapterStore(home_of(repo))
    for name in ("one", "two"):
        store.publish(manifest(name), WEIGHTS)

    def delete(*names: str) -> int:
        words = ["adapters", "delete", *names, "--repo", str(repo)]
        return CliRunner().invoke(app, words).exit_code

    assert delete("one", "nosuch") == 2
    assert {item.name for item in store.entries()} == {"one", "two"}
    assert delete("one", "two", "one") == 0
    assert store.entries() == []
