"""Tuning from a real VS Code: a run of a tiny model, planned, started, seen, paused and stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from safetensors.numpy import save

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import LORA, AdapterManifest
from diffusion.adapters.store import AdapterStore
from tests.editors.vscode.workbench import Workbench
from tests.support.lsp_process import script
from tests.support.repositories import write_repository

pytestmark = pytest.mark.editor
RUN_MS = 80_000
TUNE = "Diffill: Tune on This Repository"
CONTROL = "Diffill: Pause, Resume or Stop Tuning"
TOAST = ".notification-list-item-message"
DIALOG = ".monaco-dialog-box"
MODELS = "Diffill: Choose the Model or Tuning"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", 8)
    (root / ".git").mkdir()
    return root


@contextmanager
def window(home: Path, repository: Path, model: Path) -> Iterator[Workbench]:
    """A VS Code of its own on the repository, which answers from an empty script."""
    home.mkdir()
    settings = {
        "diffill.server.interpreter": sys.executable,
        "diffill.server.args": ["--engine", script(home)],
        "diffill.model.path": str(model),
        "diffill.train.nice": 0,
        "diffill.train.maxMinutes": 10,
    }
    workbench = Workbench(repository, home, settings)
    try:
        workbench.do("open", name="module_0.py")
        workbench.do("status", contains="Diffill: model")
        yield workbench
    finally:
        workbench.close()


def row(text: str) -> str:
    return f'.quick-input-list .monaco-list-row:has-text("{text}")'


def start_run(workbench: Workbench) -> None:
    """Ask for a plan, and start it."""
    workbench.do("command", title=TUNE)
    workbench.do("see", selector=DIALOG, contains="files held out to measure on", ms=RUN_MS)
    workbench.do("click", selector=f'{DIALOG} .monaco-button:has-text("Start")')


def control(workbench: Workbench, action: str, seen: str) -> None:
    """Pause, resume or stop, when the list says this of the run."""
    workbench.do("command", title=CONTROL)
    workbench.do("quickTitle", contains=f"Tuning: {seen}")
    workbench.do("click", selector=row(action))


def choose(workbench: Workbench, model: str) -> None:
    workbench.do("command", title=MODELS)
    workbench.do("click", selector=row(model))


def test_a_run_is_planned_started_seen_paused_and_stopped(
    installed: None, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    before = {path: path.read_bytes() for path in repository.rglob("*.py")}
    with window(tmp_path / "home", repository, tiny_model_dir) as editor:
        control(editor, "Pause", "none")
        editor.do("notification", contains="no run is at work on this repository")
        start_run(editor)
        editor.do("statusText", like=r"Diffill tuning [1-9]\d* %", ms=RUN_MS)
        editor.shot("tuning")
        control(editor, "Pause", "runs, loss ")
        editor.do("statusText", like="Diffill paused", ms=RUN_MS)
        control(editor, "Resume", "paused")
        editor.do("statusText", like=r"Diffill tuning( \d+ %)?", ms=RUN_MS)
        control(editor, "Stop", "runs")
        editor.do("see", selector=TOAST, contains="tuning stopped: run again to go on", ms=RUN_MS)
        editor.do("statusText", like="Diffill", ms=RUN_MS)
        control(editor, "Pause", "stopped")
    assert {path: path.read_bytes() for path in repository.rglob("*.py")} == before


def test_a_data_folder_that_cannot_be_made_is_named(
    installed: None,
    tmp_path: Path,
    repository: Path,
    tiny_model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It lies below a file: who runs the tests as root may write anywhere else."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "file" / "data"))
    with window(tmp_path / "home", repository, tiny_model_dir) as editor:
        editor.do("command", title=TUNE)
        editor.do("see", selector=TOAST, contains="(Not a directory)", ms=RUN_MS)
        editor.do("see", selector=TOAST, contains="name another data folder in DIFFILL_DATA")
        editor.shot("no-data-folder")


def test_two_windows_on_one_repository(
    installed: None, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    """One tunes; the other is told so, and may stop it. It is paused, to leave the cores free."""
    with (
        window(tmp_path / "first", repository, tiny_model_dir) as one,
        window(tmp_path / "second", repository, tiny_model_dir) as two,
    ):
        start_run(one)
        one.do("statusText", like=r"Diffill tuning \d+ %", ms=RUN_MS)
        control(one, "Pause", "runs")
        one.do("statusText", like="Diffill paused", ms=RUN_MS)
        start_run(two)
        two.do("see", selector=TOAST, contains="being trained on already", ms=RUN_MS)
        two.shot("tuned-elsewhere")
        two.do("statusText", like="Diffill")
        assert one.do("statusText", like="Diffill paused")
        control(two, "Stop", "paused")
        one.do("see", selector=TOAST, contains="tuning stopped", ms=RUN_MS)


def test_what_tuning_has_made_is_used_rolled_back_and_deleted(
    installed: None, tmp_path: Path, repository: Path, tiny_model_dir: Path
) -> None:
    base, store = base_of(tiny_model_dir), AdapterStore(home_of(repository))
    for day in (1, 2):
        manifest = AdapterManifest(
            f"tuned-{day}", f"2026-01-0{day}", LORA, 1.0, base.weights_sha256,
            base.tokenizer_hash, "", {"held_out": {"cases": 0}},
        )  # fmt: skip
        store.publish(manifest, save({}))
    with window(tmp_path / "home", repository, tiny_model_dir) as editor:
        for name in ("tuned-2", "tuned-1"):  # used, and rolled back to the one before
            choose(editor, name)
            editor.do("notification", contains=f"{name} is used from now on")
            editor.do("status", contains=f"tuned: {name}")
            assert store.selected() == name
        editor.shot("models")
        choose(editor, "not tuned")
        editor.do("notification", contains="the model without tuning is used from now on")
        editor.do("status", contains="Model: ", lacks="tuned: ")
        assert store.selected() is None
        editor.do("command", title=MODELS)
        editor.do("hover", selector=row("tuned-1"))
        editor.do("click", selector=f"{row('tuned-1')} .codicon-trash")
        editor.do("see", selector=DIALOG, contains="Delete the tuning tuned-1?")
        editor.do("click", selector=f'{DIALOG} .monaco-button:has-text("Delete")')
        editor.do("notification", contains="tuned-1 is deleted")
        assert [entry.name for entry in store.entries()] == ["tuned-2"]
