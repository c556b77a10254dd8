"""Tuning from a real Neovim: a run of a tiny model, started, seen to progress, steered, ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import LORA, AdapterManifest
from diffusion.adapters.store import AdapterStore
from tests.support.lsp_process import script
from tests.support.neovim import Neovim, running, server
from tests.support.repositories import write_repository

RUN_MS = 90_000


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    root = write_repository(tmp_path / "repository", 8)
    (root / ".git").mkdir()
    return root


def options(folder: Path, model: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    settings = {"model": {"path": str(model)}, "train": {"nice": 0, "maxMinutes": 60}}
    return {"cmd": server(folder, "--engine", script(folder)), "settings": settings}


def opened(neovim: Neovim, repository: Path) -> None:
    neovim.command(f"edit {repository / 'module_0.py'}")
    neovim.wait("#vim.lsp.get_clients({name = 'diffill', bufnr = 0}) > 0")


def line_is(neovim: Neovim, part: str) -> None:
    neovim.wait(f"require('diffill').statusline():find('{part}') ~= nil", RUN_MS)


def test_a_run_is_planned_started_seen_paused_and_stopped(
    version: str, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    folder = tmp_path / "home"
    with running(version, folder, **options(folder, tiny_model_dir)) as neovim:
        opened(neovim, repository)
        neovim.command("Diffill train status")
        neovim.hears("tuning: none")
        neovim.command("Diffill train pause")
        neovim.hears("start one with `diffill train`")
        neovim.command("Diffill train start")
        neovim.hears(f"tuning on {repository} has begun")
        line_is(neovim, r"diffill tuning %d+%%")
        neovim.command("Diffill train pause")
        line_is(neovim, "diffill paused")
        neovim.command("Diffill train resume")
        line_is(neovim, "diffill tuning")
        neovim.command("Diffill train stop")
        neovim.wait("heard('tuning stopped')", RUN_MS)
        neovim.wait("require('diffill').statusline() == 'diffill on'")
        neovim.command("Diffill train status")
        neovim.hears("tuning: stopped")


def test_two_editors_on_one_repository(
    version: str, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    """Both complete; one tunes, the other is told so and may stop it."""
    first, second = tmp_path / "first", tmp_path / "second"
    with (
        running(version, first, **options(first, tiny_model_dir)) as one,
        running(version, second, **options(second, tiny_model_dir)) as two,
    ):
        for neovim in (one, two):
            opened(neovim, repository)
        one.command("Diffill train start")
        line_is(one, r"diffill tuning %d+%%")
        two.command("Diffill train start")
        two.wait("heard('this repository is being trained on already')", RUN_MS)
        two.hears("see `diffill train status`, or stop it with `diffill train stop`")
        two.command("Diffill train stop")
        one.wait("heard('tuning stopped')", RUN_MS)


def test_a_data_folder_that_cannot_be_written_to(
    version: str,
    tmp_path: Path,
    repository: Path,
    tiny_model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "file" / "data"))
    folder = tmp_path / "home"
    with running(version, folder, **options(folder, tiny_model_dir)) as neovim:
        opened(neovim, repository)
        neovim.command("Diffill train start")
        neovim.wait("heard('name another data folder in DIFFILL_DATA')", RUN_MS)


def test_what_tuning_has_made_is_listed_chosen_and_deleted(
    version: str, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    base, store = base_of(tiny_model_dir), AdapterStore(home_of(repository))
    for day in (1, 2):
        manifest = AdapterManifest(
            f"tuned-{day}", f"2026-01-0{day}", LORA, 1.0, base.weights_sha256,
            base.tokenizer_hash, "", {"held_out": {"cases": 0}},
        )  # fmt: skip
        store.publish(manifest, save({}))
    folder = tmp_path / "home"
    adapter = "(told or {}).adapter"
    with running(version, folder, **options(folder, tiny_model_dir)) as neovim:
        opened(neovim, repository)
        neovim.command("Diffill model list")
        neovim.wait("(window() or ''):find('not tuned, selected', 1, true)")
        assert neovim.lines()[1:] == ["tuned-2, 2026-01-02", "tuned-1, 2026-01-01"]
        neovim.keys("q")
        neovim.wait("window() == nil")
        neovim.command("Diffill model select tuned-1")
        neovim.hears("tuned-1 is used from now on")
        neovim.wait(f"{adapter} == 'tuned-1'")
        neovim.lua("vim.ui.select = function(entries, _, done) done(entries[2]) end")
        neovim.command("Diffill model select")
        neovim.hears("tuned-2 is used from now on")
        neovim.wait(f"{adapter} == 'tuned-2'")
        neovim.command("Diffill model delete tuned-2")
        neovim.hears("tuned-2 is deleted")
        neovim.command("Diffill model select tuned-2")
        neovim.hears("has no adapter called tuned-2")
        neovim.command("Diffill model base")
        neovim.hears("the base model is used from now on")
