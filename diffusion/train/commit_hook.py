"""The `post-commit` hook that tunes after commits, put in and taken out on request.

The hook starts `diffill train --keep-up` in the background, with nothing to read from or write to,
and ends at once with success, so no commit waits for it or fails by it.

Invariants: a hook that this module did not write is never changed; nothing is written outside the
repository's own `.git` (`core.hooksPath` may be shared, or tracked).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from diffusion.adapters.durable import write_file
from diffusion.errors import TrainingError

_MARK = "# made by `diffill train --install-hook`; `diffill train --remove-hook` takes it out"
_HERE = Path(__file__).resolve().parents[2]
_GIT_S = 20.0


def background_line(minutes_per_day: float, model: Path | None = None) -> str:
    """The shell line that starts a run: it may stand in any hook. `model`: None is the bundled."""
    # -P: python must not import from the repository that the hook runs in.
    command = [
        "env", f"PYTHONPATH={_HERE}", sys.executable, "-P", "-m", "diffusion", "train", ".",
        "--keep-up", "--minutes-per-day", f"{minutes_per_day:g}",
        *(["--model", os.path.abspath(model)] if model else []),
    ]  # fmt: skip
    return (
        "(trap '' HUP; unset $(git rev-parse --local-env-vars); "
        f"exec {shlex.join(command)}) </dev/null >/dev/null 2>&1 &"
    )


def install(root: Path, minutes_per_day: float, model: Path | None = None) -> Path:
    """Put the hook in, or renew it. Raises TrainingError where it must not or cannot be."""
    line = background_line(minutes_per_day, model)
    path = _hook_path(root, line)
    if (path.exists() or path.is_symlink()) and not _is_ours(path):
        raise TrainingError(
            f"{path} is there already and not Diffill's, so it was left alone",
            fix=f"add this line to it: {line}",
        )
    try:
        write_file(path, os.fsencode(f"#!/bin/sh\n{_MARK}\n{line}\nexit 0\n"))
        path.chmod(0o755)
    except OSError as error:
        raise TrainingError(
            f"{path} could not be written ({error.strerror})", fix="check its permissions"
        ) from error
    return path


def remove(root: Path) -> Path:
    """Take the hook out. Raises TrainingError where there is none of ours."""
    path = _hook_path(root, "")
    if not _is_ours(path):
        raise TrainingError(
            f"{path} is no hook of Diffill's" if path.exists() else f"there is no {path}",
            fix="nothing needs to be removed",
        )
    try:
        path.unlink()
    except OSError as error:
        raise TrainingError(
            f"{path} could not be removed ({error.strerror})", fix="check its permissions"
        ) from error
    return path


def _is_ours(path: Path) -> bool:
    try:
        return not path.is_symlink() and _MARK.encode() in path.read_bytes().splitlines()
    except OSError:
        return False


def _hook_path(root: Path, line: str) -> Path:
    if _git(root, "rev-parse", "--is-inside-work-tree") != "true":
        raise TrainingError(
            f"{root} is no git repository that commits can be made in",
            fix="name one, or set diffill.train.keepUp in the editor instead",
        )
    shared = _git(root, "config", "--get", "core.hooksPath")
    if shared:
        raise TrainingError(
            f"hooks of this repository lie in {shared} (core.hooksPath), which others may share",
            fix=f"add this line to post-commit there yourself: {line}" if line else "look there",
        )
    hooks = root / _git(root, "rev-parse", "--git-path", "hooks")
    if not hooks.resolve().is_relative_to(_common(root)):
        raise TrainingError(
            f"{hooks} is a link to {hooks.resolve()}, outside of this repository's .git, so it was "
            "left alone",
            fix=f"add this line to post-commit there yourself: {line}" if line else "look there",
        )
    return hooks / "post-commit"


def _common(root: Path) -> Path:
    """The real folder that a repository and its worktrees keep their hooks in."""
    return (root / _git(root, "rev-parse", "--git-common-dir")).resolve()


def _git(root: Path, *words: str) -> str:
    """What git answers, "" where it fails. Raises TrainingError where there is no git."""
    try:
        return subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True,
            errors="surrogateescape", timeout=_GIT_S, check=False,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TrainingError(f"git could not be asked ({error})", fix="install git") from error
