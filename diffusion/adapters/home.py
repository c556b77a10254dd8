"""Where the work of tuning lies: one folder a repository, in the user's data folder.

Not inside the repository: an adapter holds what was learned from the code, so nobody should commit
one by mistake, and a checkout from somebody else must not bring one along.
`DIFFILL_DATA` names another data folder. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from diffusion.adapters.durable import write_file
from diffusion.errors import ConfigError

DATA_VARIABLE = "DIFFILL_DATA"
NOTE_FILE = "repository.json"
_KEY_DIGITS = 12
_MOST_NAME_BYTES = 128
"""Of a folder's name; with the key it fits everywhere, on an encrypted disk of Linux, too."""
_MOST_LOOKED_FOR = 200


@dataclass(frozen=True, slots=True)
class RepositoryHome:
    """The folder of one repository: `run` is the training at hand, `adapters` what came of it."""

    root: Path
    folder: Path

    @property
    def run(self) -> Path:
        """Shards, checkpoints, log and status of the run."""
        return self.folder / "run"

    @property
    def adapters(self) -> Path:
        """One folder an adapter."""
        return self.folder / "adapters"


def expanded(path: Path, what: str) -> Path:
    """A path with `~` written out. Raises ConfigError for `~nobody`, which begins with `what`."""
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"{what} {path} cannot be looked for ({error})", fix="write the path out"
        ) from error


def data_dir() -> Path:
    """The user's data folder of this program."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return expanded(Path(named), DATA_VARIABLE)
    return Path(platformdirs.user_data_dir("diffill", appauthor=False))


def repository_root(path: Path) -> Path:
    """The nearest folder at or above `path` with a `.git`, else `path` itself, as a real path."""
    path = expanded(path, "repository").resolve()
    if path.is_file():
        path = path.parent
    return next((p for p in (path, *path.parents) if (p / ".git").exists()), path)


def home_of(path: Path) -> RepositoryHome:
    """The home of the repository that `path` is in. Makes nothing on disk."""
    root = repository_root(path)
    key = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:_KEY_DIGITS]
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in root.name) or "root"
    name = name.encode()[:_MOST_NAME_BYTES].decode(errors="ignore")
    return RepositoryHome(root, data_dir() / "repositories" / f"{name}-{key}")


def note_repository(home: RepositoryHome, adapter: str, files: Collection[str] = ()) -> None:
    """Write down whose home it is, and some of the files that an adapter comes from.

    Of adapters that are gone nothing is kept. Raises OSError.
    """
    home.folder.mkdir(parents=True, exist_ok=True)
    note = _note(home)
    kept = {name: known for name, known in _files_by_adapter(note).items()
            if (home.adapters / name).is_dir()}  # fmt: skip
    note = {**note, "root": str(home.root), "adapters": {**kept, adapter: _some(sorted(files))}}
    write_file(home.folder / NOTE_FILE, json.dumps(note).encode())


def holds_another(home: RepositoryHome, adapter: str) -> bool:
    """Whether most of the files that an adapter comes from are gone from the folder."""
    note = _note(home)
    files = _files_by_adapter(note).get(adapter, note.get("files"))  # once one list was for all
    if not isinstance(files, list):
        return False  # nothing is known of them
    looked_for = _some([path for path in files if isinstance(path, str)])
    try:
        gone = sum(not os.path.lexists(home.root / path) for path in looked_for)
    except ValueError:
        return False  # what no path may hold
    return 2 * gone > len(looked_for)


def _some(files: list[str]) -> list[str]:
    """A fair share: a server looks for them while an editor waits."""
    return files[:: max(1, len(files) // _MOST_LOOKED_FOR)]


def _note(home: RepositoryHome) -> dict[str, Any]:
    """What was written down; nothing where that is damaged."""
    try:
        note = json.loads((home.folder / NOTE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _files_by_adapter(note: dict[str, Any]) -> dict[str, Any]:
    known = note.get("adapters")
    return known if isinstance(known, dict) else {}
