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

import platformdirs

from diffusion.adapters.durable import write_file

DATA_VARIABLE = "DIFFILL_DATA"
NOTE_FILE = "repository.json"
_KEY_DIGITS = 12
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


def data_dir() -> Path:
    """The user's data folder of this program."""
    named = os.environ.get(DATA_VARIABLE)
    if named:
        return Path(named).expanduser()
    return Path(platformdirs.user_data_dir("diffill", appauthor=False))


def repository_root(path: Path) -> Path:
    """The nearest folder at or above `path` with a `.git`, else `path` itself, as a real path."""
    path = path.expanduser().resolve()
    if path.is_file():
        path = path.parent
    return next((p for p in (path, *path.parents) if (p / ".git").exists()), path)


def home_of(path: Path) -> RepositoryHome:
    """The home of the repository that `path` is in. Makes nothing on disk."""
    root = repository_root(path)
    key = hashlib.sha256(str(root).encode("utf-8", "surrogateescape")).hexdigest()[:_KEY_DIGITS]
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in root.name) or "root"
    return RepositoryHome(root, data_dir() / "repositories" / f"{name}-{key}")


def note_repository(home: RepositoryHome, files: Collection[str] = ()) -> None:
    """Write down whose home it is, and which files its adapters come from. Raises OSError."""
    home.folder.mkdir(parents=True, exist_ok=True)
    note = {"root": str(home.root), "files": sorted(files)}
    write_file(home.folder / NOTE_FILE, json.dumps(note).encode())


def holds_another(home: RepositoryHome) -> bool:
    """Whether most of the files that its adapters come from are gone from the folder.

    A fair share of them is looked for: a server asks while an editor waits.
    """
    try:
        note = json.loads((home.folder / NOTE_FILE).read_text(encoding="utf-8"))
        files = [path for path in note["files"] if isinstance(path, str)]
        files = files[:: max(1, len(files) // _MOST_LOOKED_FOR)]
        gone = sum(not os.path.lexists(home.root / path) for path in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False  # nothing is known of them
    return 2 * gone > len(files)
