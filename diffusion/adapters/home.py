"""Where the work of tuning lies: one folder a repository, in the user's data folder.

Not inside the repository: an adapter holds what was learned from the code, so nobody should commit
one by mistake, and a checkout from somebody else must not bring one along.
`DIFFILL_DATA` names another data folder. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

DATA_VARIABLE = "DIFFILL_DATA"
_KEY_DIGITS = 12


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
