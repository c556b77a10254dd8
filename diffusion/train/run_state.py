"""What a run is doing, read from its folder, and how to steer one. Imports no torch.

The lock says whether a process is at work, whatever the status file says: while one is, what
another one has written is old news. A run whose process was killed is `interrupted`, and the next
start goes on with it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diffusion.errors import TrainingError
from diffusion.train.control import PAUSE, RUN, STOP, is_locked, owner, want
from diffusion.train.run_log import STATUS

OVER_FILE = "over.json"
"""The last event of a run that came to its end (`tune_stored`)."""
_ENDS = ("done", "stopped", "failed")
_WANTED = {"pause": PAUSE, "resume": RUN, "stop": STOP}


def run_state(run: Path) -> dict[str, Any]:
    """The newest event of a run with `state`: none, runs, paused, stopped, failed, done, or
    interrupted."""
    status = _status(run)
    state = status.get("state")
    if is_locked(run):
        return status if str(status.get("pid")) == owner(run) else {"state": "runs"}
    if state == "none" or state in _ENDS:
        return status
    return _over(run) or {**status, "state": "interrupted"}


def _status(run: Path) -> dict[str, Any]:
    """What was written last; nothing where it is damaged."""
    try:
        status = json.loads((run / STATUS).read_text(encoding="utf-8"))
    except OSError:
        return {"state": "none"}
    except ValueError:
        return {}
    return status if isinstance(status, dict) else {}


def _over(run: Path) -> dict[str, Any] | None:
    """How a run ended whose status was not written any more."""
    try:
        return {**json.loads((run / OVER_FILE).read_text(encoding="utf-8")), "state": "done"}
    except (OSError, ValueError, TypeError):
        return None


def steer(run: Path, action: str) -> None:
    """Ask a run to `pause`, `resume` or `stop`. Raises TrainingError where none is at work."""
    if not run.is_dir() or not is_locked(run):
        raise TrainingError(
            f"no run is at work on this repository, so there is none to {action}",
            fix="start one with `diffill train`",
        )
    want(run, _WANTED[action])
