"""Tuning that starts by itself, on a commit or when idle: whether now, and how long today.

Minutes are processor time, so that waiting costs nothing. What a day has used is kept in a file
beside the run, so all processes share one budget a repository; looking whether the files changed
counts, too. When the budget is spent or the plug is pulled, the run is told to stop: it saves, and
the next start goes on with it.

A rebase makes many commits in a moment, and each starts a process: of them one looks, and it alone
may begin a run (`alone` with `LOOKING_FILE`, from the first look to the end of the run); only it
writes what was used. The others end at once.

Nothing here imports torch, and nothing heavy is imported before the files are read.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from diffusion.adapters.durable import write_file
from diffusion.adapters.home import RepositoryHome
from diffusion.errors import CorpusError
from diffusion.train.begun import CONFIG_FILE, begun
from diffusion.train.control import STOP, Control, is_locked
from diffusion.train.power import on_battery
from diffusion.train.run_log import Report
from diffusion.train.run_state import OVER_FILE, run_state

SPENT_FILE, LOOKING_FILE = "keep-up.json", "keep-up.lock"
_PLAN_FILE = "plan.json"
LEAST_MINUTES = 0.5
"""With less left of a day, no run is begun."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the decision depends on."""

    minutes_per_day: float
    spent_minutes: float
    on_battery: bool
    running: bool
    """A run is at work on the repository."""
    unfinished: bool
    """There is a run to go on with."""
    changed: Callable[[], bool]
    """Whether the files are others than those of the last run. Asked last: it reads them all."""
    other_model: str | None = None
    """That of the run to go on with, where it is another than the one to tune now."""


def why_not(now: Situation) -> str | None:
    """Why no run should begin now, in words; None where one should."""
    if now.running:
        return "a run is at work already"
    if now.on_battery:
        return "the machine runs on its battery"
    if now.minutes_per_day - now.spent_minutes < LEAST_MINUTES:
        return (
            f"{now.spent_minutes:.1f} of today's {now.minutes_per_day:g} minutes are used"
        )
    if now.other_model is not None:
        return (
            f"the run that is not over is of another model, {now.other_model}; finish it "
            "with `diffill train --model`, or start over with --fresh"
        )
    if not now.unfinished and not now.changed():
        return "nothing has changed since the last run"
    return None


def situation(
    home: RepositoryHome, minutes_per_day: float, model: Path | None = None
) -> Situation:
    """How things are on this machine now; `model` is the one to tune, None the bundled one.

    Raises DiffillError where that is none; `changed` raises CorpusError where the files hold
    nothing to learn from, and has booked its time by then.
    """
    spent, unfinished = Spent(home.folder / SPENT_FILE), _is_unfinished(home.run)
    meter = Meter(spent, minutes_per_day)

    def changed() -> bool:
        try:
            plan = json.loads((home.run / _PLAN_FILE).read_text(encoding="utf-8"))
            last = plan["data_digest"]
        except (OSError, ValueError, KeyError, TypeError):
            return True  # there was no run yet
        from diffusion.data.repository import scan_repository  # it searches for secrets

        try:
            return bool(scan_repository(home.root).digest != last)
        except CorpusError:
            meter.book()  # the start ends here, and every commit would read all files for nothing
            raise

    return Situation(
        minutes_per_day=minutes_per_day,
        spent_minutes=spent.minutes(),
        on_battery=on_battery(),
        running=home.run.is_dir() and is_locked(home.run),
        unfinished=unfinished,
        changed=changed,
        other_model=begun(home.run).other_model(model) if unfinished else None,
    )


def _is_unfinished(run: Path) -> bool:
    """Whether a run was cut off, told to stop, or ended by what passes, such as a full disk."""
    state = run_state(run)["state"]
    if state == "failed":  # one that would fail in the same way again is over
        return (run / CONFIG_FILE).exists() and not (run / OVER_FILE).exists()
    return state in ("interrupted", "stopped")


class Spent:
    """The minutes that today's runs have used, in a file."""

    def __init__(self, path: Path, today: Callable[[], date] = date.today) -> None:
        self._path, self._today = path, today

    def minutes(self) -> float:
        """Used today; 0 where the file is missing, damaged, or of another day."""
        try:
            raw = json.loads(self._path.read_text(encoding="utf-8"))
            minutes, day = float(raw["minutes"]), raw["day"]
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return 0.0
        return minutes if 0.0 <= minutes < math.inf and day == self._today().isoformat() else 0.0

    def add(self, minutes: float) -> float:
        """Use up so many more; gives back today's sum. Raises OSError."""
        total = self.minutes() + minutes
        document = {"day": self._today().isoformat(), "minutes": total}
        write_file(self._path, json.dumps(document).encode())
        return total


class Meter:
    """Books the time of this process from when it is made, and stops a run when it has to."""

    def __init__(
        self,
        spent: Spent,
        minutes_per_day: float,
        *,
        clock: Callable[[], float] = time.process_time,
        battery: Callable[[], bool] = on_battery,
    ) -> None:
        self._spent, self._most = spent, minutes_per_day
        self._clock, self._battery = clock, battery
        self._booked_s = clock()

    def book(self) -> bool:
        """Book what was used since the last time; whether the day is used up."""
        now_s = self._clock()
        minutes, self._booked_s = (now_s - self._booked_s) / 60, now_s
        try:
            return self._spent.add(minutes) >= self._most
        except OSError:
            return True  # what cannot be booked must not be used

    def listening(self, control: Control, report: Report) -> Report:
        """Takes a run's events and passes them on; tells the run to stop when it has to."""

        def hear(event: dict[str, Any]) -> None:
            if self.book() or self._battery():
                control.tell(STOP)
            report(event)

        return hear
