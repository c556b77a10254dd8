"""What a run says about itself: `log.jsonl`, one event a line, and `status.json`, the run now.

`status.json` holds the newest event and, whatever that was, who runs (`pid`), in which `stage`,
how far (`progress`, `tokens_per_s`, `eta_minutes`) and where the `newest_export` is. It is small
and replaced whole, also where the power is cut, so that a program on another machine can fetch it
at any time.

Invariant: a full disk here never ends a run; the event is still reported to the console.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusion.adapters.durable import write_file
from diffusion.alive import is_alive
from diffusion.errors import TrainingError

LOG, STATUS = "log.jsonl", "status.json"
_STATES = ("done", "stopped", "failed", "paused")
Report = Callable[[dict[str, Any]], None]

_KEPT = (
    "stage", "progress", "tokens", "tokens_per_s", "waiting_share", "minutes", "eta_minutes",
    "newest_export",
)  # fmt: skip


class RunLog:
    """Writes the events of one run; does nothing where `enabled` is False (other processes)."""

    def __init__(self, out: Path, report: Report, *, enabled: bool) -> None:
        self._out, self._report, self._enabled = out, report, enabled
        self._kept: dict[str, Any] = {}

    def write(self, event: dict[str, Any]) -> None:
        """Append an event, and renew the status."""
        if not self._enabled:
            return
        if event["event"] == "stage":
            self._kept["stage"] = event["name"]
        self._kept.update({name: event[name] for name in _KEPT if name in event})
        status = {
            **self._kept,
            **event,
            "state": event["event"] if event["event"] in _STATES else "runs",
            "pid": os.getpid(),
            "written_unix_s": round(time.time()),
        }
        try:
            _append(self._out / LOG, event)
            write_file(self._out / STATUS, json.dumps(status).encode())
        except OSError as error:
            self._report({"event": "warning", "message": f"the log cannot be written ({error})"})
        self._report(event)


def _append(log: Path, event: dict[str, Any]) -> None:
    """Add a line, behind a line end where whoever wrote last was killed before it."""
    with log.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
        torn = file.read(1) not in (b"", b"\n")
        file.write(b"\n" * torn + json.dumps(event).encode() + b"\n")


def read_events(log: Path) -> list[dict[str, Any]]:
    """The events of a log, without what a kill or a power cut has left of a line. OSError."""
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and "event" in event:
            found.append(event)
    return found


class Window:
    """Sums since the last logged line."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.steps = 0
        self.tokens = 0
        self.seconds = 0.0
        self.waiting_s = 0.0
        """For batches, which other processes build."""

    def add(self, loss: float, tokens: int, seconds: float) -> None:
        """One step more."""
        self.loss += loss
        self.steps += 1
        self.tokens += tokens
        self.seconds += seconds

    @property
    def figures(self) -> dict[str, float]:
        """Mean loss of a step in nats, and how fast steps were."""
        return {
            "loss": self.loss / self.steps,
            "tokens_per_s": self.tokens_per_s,
            "waiting_share": self.waiting_share,
        }

    @property
    def tokens_per_s(self) -> float:
        """Of steps alone: waiting for batches, validation and saving are not in it."""
        return self.tokens / max(self.seconds, 1e-9)

    @property
    def waiting_share(self) -> float:
        """Of the time for steps and batches, how much was waiting for batches, 0..1."""
        return self.waiting_s / max(self.waiting_s + self.seconds, 1e-9)


def read_status(out: Path) -> dict[str, Any]:
    """The status of a run, with `alive`: whether its process still exists on this machine.

    Raises TrainingError where there is none.
    """
    path = out / STATUS
    try:
        status: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(
            f"there is no run in {out} ({error.strerror} for {STATUS}); name the --out of one"
        ) from error
    except ValueError as error:
        raise TrainingError(f"{path} is damaged ({error}); the next event replaces it") from error
    return {**status, "alive": "pid" in status and is_alive(int(status["pid"]))}
