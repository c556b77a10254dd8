"""What a run fixes when it begins, and whether the next start goes on with it.

`config.json` holds the options, the base model and the files of a run, `plan.json` what was told
of it, `over.json` the last event of a run that came to its end. Whatever else is in the folder,
these three decide: the status is for people.

Invariants: a run that is over is never gone on with, and one that is not stays until it is, unless
`why_anew` says why; `config.json` is written last and removed first, so a folder that holds it
holds all of a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.adapters.durable import write_file
from diffusion.data.repository import Progress, Repository, is_another, left_out_since
from diffusion.data.secret_scan import VERSION
from diffusion.errors import TrainingError
from diffusion.train import tune_checkpoint
from diffusion.train.begun import CONFIG_FILE
from diffusion.train.run_log import LOG
from diffusion.train.run_state import OVER_FILE
from diffusion.train.tune_config import TuneConfig
from diffusion.train.tune_data import DATA, GENERAL, clear_data

PLAN_FILE, SAMPLES_FILE = "plan.json", "samples.json"
NAME_FILE = "adapter-name"
MEASURED_FILE = "measured.jsonl"
CHOSEN = frozenset({"method", "learning_rate", "licence_headers"})
"""The options that a run is bound to, once it has begun."""


class OtherOptions(TrainingError):
    """A run that is not over has other options than those that were asked for."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run that can be gone on with."""

    config: TuneConfig
    plan: dict[str, Any]
    base: str
    """SHA-256 of the base model's weights."""
    name: str | None
    licence_headers: bool
    files: dict[str, str]
    """SHA-256 by path, of all files that it learns from or is measured on."""
    searched: int = VERSION
    """How they were searched for secrets."""
    select: bool = True
    """Whether its adapter is served at once."""
    model: str | None = None
    by_itself: bool = False
    """Both: see `begun`."""


def store(run: Path, stored: StoredRun) -> None:
    """Make what is in `run` a run to go on with. Raises OSError."""
    config = {
        "config": stored.config.to_json(), "base": stored.base, "name": stored.name,
        "licence_headers": stored.licence_headers, "files": stored.files,
        "searched": stored.searched, "select": stored.select, "model": stored.model,
        "by_itself": stored.by_itself,
    }  # fmt: skip
    write_file(run / PLAN_FILE, json.dumps(stored.plan).encode())
    write_file(run / CONFIG_FILE, json.dumps(config).encode())


def stored_run(run: Path) -> StoredRun | None:
    """The run in a folder, None where there is none, or it is over."""
    if (run / OVER_FILE).exists():
        return None
    try:
        raw = json.loads((run / CONFIG_FILE).read_text(encoding="utf-8"))
        plan = json.loads((run / PLAN_FILE).read_text(encoding="utf-8"))
        found = StoredRun(**{**raw, "config": TuneConfig(**raw["config"]), "plan": plan})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if (run / DATA).is_dir() and (run / GENERAL).is_dir() else None


def digests(repository: Repository) -> dict[str, str]:
    """For `StoredRun.files`."""
    return {file.path: file.digest for file in repository.files}


def end(run: Path, event: Mapping[str, Any]) -> None:
    """The run is over; `event` was its last one. Raises OSError."""
    write_file(run / OVER_FILE, json.dumps(event).encode())


def note_name(run: Path, adapter: str) -> None:
    """Say under which name the run's adapter is about to be published. Raises OSError."""
    write_file(run / NAME_FILE, adapter.encode())


def noted_name(run: Path) -> str | None:
    """The name that a run was about to publish under when it was cut off, if it came so far."""
    try:
        return (run / NAME_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def forget(run: Path) -> None:
    """Make room for a new run. What is left of an older one goes, its text included."""
    (run / CONFIG_FILE).unlink(missing_ok=True)
    for name in (NAME_FILE, OVER_FILE, LOG, SAMPLES_FILE, MEASURED_FILE):
        (run / name).unlink(missing_ok=True)
    tune_checkpoint.clear(run)
    clear_data(run)


def why_anew(
    stored: StoredRun, base: str, root: Path, *, on_progress: Progress = lambda: None
) -> str | None:
    """Why a run must not go on with the text that it has, in words; None where it may."""
    if stored.base != base:
        return "it was for another base model"
    if stored.searched != VERSION:
        return "files are searched for secrets in another way now"
    if is_another(root, stored.files, on_progress=on_progress):
        return "most of its files are gone, and others are there"
    excluded = left_out_since(root, stored.files, on_progress=on_progress)
    if excluded is not None:
        detail = f", {excluded.detail}" if excluded.detail else ""
        return f"{excluded.path} is left out now ({excluded.reason}{detail})"
    return None


def check_options(
    stored: StoredRun, config: TuneConfig, licence_headers: bool, chosen: frozenset[str]
) -> None:
    """Raises OtherOptions where one of those that were `chosen` is not the run's."""
    has = {**stored.config.to_json(), "licence_headers": stored.licence_headers}
    asked = {**config.to_json(), "licence_headers": licence_headers}
    others = [
        f"{_option(name, has[name])}, not {_option(name, asked[name])}"
        for name in sorted(CHOSEN & chosen)
        if has[name] != asked[name]
    ]
    if others:
        raise OtherOptions(
            f"the run that is not over was begun with {' and '.join(others)}",
            fix="leave that out to go on with it, or start over with --fresh",
        )


def _option(name: str, value: Any) -> str:
    word = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return word if value else f"no {word}"
    return f"{word} {'auto' if value is None else value}"

