"""How a run is told to pause, go on, or stop, and how two windows are kept from training twice.

`control.json` in the run's folder says what is wanted; any process may write it, and the run looks
at it between two files of a scan, rows of a batch, and batches or holes that it measures. Whoever
started the run as a child can also write `pause`, `resume`, `stop` and `yield MS` to its stdin, a
word a line; its end means stop. `run.lock` is held as long as the process lives, whatever ends it.

Invariants: of all who say something the newest word counts, but a stop is final; what was said
before a run began is not for it, and nothing that is said from then on is lost.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from diffusion.adapters.durable import write_file
from diffusion.adapters.file_lock import lock
from diffusion.adapters.home import DATA_VARIABLE
from diffusion.cancel import Cancelled
from diffusion.errors import TrainingError

CONTROL_FILE, LOCK_FILE = "control.json", "run.lock"
RUN, PAUSE, STOP = "run", "pause", "stop"
WANTED = (RUN, PAUSE, STOP)
_YIELD = re.compile(r"yield ([0-9]{1,9})")
_LOOK_EVERY_S = 0.5
_LOCK_TRIES, _LOCK_EVERY_S = 11, 0.01
"""Who only asks whether there is a run holds the lock for an instant, too."""


def want(run: Path, wanted: str) -> None:
    """Ask the run in this folder to do something. Raises TrainingError where it cannot be told."""
    try:
        document = {"wanted": wanted, "at_ns": time.time_ns()}
        write_file(run / CONTROL_FILE, json.dumps(document).encode())
    except OSError as error:
        raise TrainingError(
            f"{run / CONTROL_FILE} could not be written ({error.strerror})",
            fix="free some disk space",
        ) from error


def wanted(run: Path) -> str:
    """What was asked of the run last; `run` where nothing was."""
    return _asked(run)[0]


def _asked(run: Path) -> tuple[str, int]:
    """What was asked last, and when, in nanoseconds since 1970; 0 where that is not said."""
    try:
        raw = json.loads((run / CONTROL_FILE).read_text(encoding="utf-8"))
        found, at_ns = raw["wanted"], raw.get("at_ns", 0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return RUN, 0
    return (found, at_ns) if found in WANTED and isinstance(at_ns, int) else (RUN, 0)


class Control:
    """What a run should do now. `gate` is called between rows and returns when it may go on."""

    def __init__(self, run: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._run, self._clock = run, clock
        self._wake = threading.Event()
        self._told: str | None = None
        self._told_ns = 0
        self._yield_until_s = 0.0
        self._looked_s = float("-inf")
        self._in_file, self._in_file_ns = RUN, 0
        self._earlier: tuple[str, int] | None = None
        """What the file said before the run began."""
        self.waited_s = 0.0
        """How long `gate` has kept the run waiting, in all."""

    def begin(self) -> None:
        """The run begins: what its file says until now was said to another.

        Called before there is a lock: who sees that would be heard.
        """
        self._earlier = _asked(self._run)

    def tell(self, line: str) -> None:
        """Take a word from stdin; what is no such word is passed over."""
        words = line.split()
        if found := _YIELD.fullmatch(" ".join(words)):
            self._yield_until_s = max(self._yield_until_s, self._clock() + int(found[1]) / 1000)
        elif words == ["resume"]:
            self._hear(RUN)
            self._yield_until_s = 0.0
        elif words in (["pause"], ["stop"]):
            self._hear(words[0])
        self._wake.set()

    def _hear(self, word: str) -> None:
        if self._told != STOP:
            self._told, self._told_ns = word, time.time_ns()

    def listen(self, stream: IO[str]) -> None:
        """Follow a stream of words on a thread of its own; its end means stop."""

        def read() -> None:
            for line in stream:
                self.tell(line)
            self.tell(STOP)

        threading.Thread(target=read, name="diffill-control", daemon=True).start()

    def now(self) -> str:
        """`run`, `pause` or `stop`."""
        if self._clock() - self._looked_s >= _LOOK_EVERY_S:
            self._looked_s = self._clock()
            asked = _asked(self._run)
            self._in_file, self._in_file_ns = (RUN, 0) if asked == self._earlier else asked
        word = self._newest()
        return PAUSE if word == RUN and self._clock() < self._yield_until_s else word

    def _newest(self) -> str:
        """What was said last, on stdin or in the file."""
        if STOP in (self._told, self._in_file):
            return STOP
        if self._told is None or self._in_file_ns > self._told_ns:
            return self._in_file
        return self._told

    def gate(self, report: Callable[[str], Any] = lambda state: None) -> bool:
        """Wait while paused; False when the run should stop.

        `report` hears `paused` and `resumed`, but not of the short waits for a typing user; a run
        that is stopped while it waits does not resume.
        """
        told, begun_s = False, None
        while (state := self.now()) == PAUSE:
            begun_s = self._clock() if begun_s is None else begun_s
            asked = self._newest() == PAUSE
            if asked and not told:
                report("paused")
                told = True
            left_s = _LOOK_EVERY_S if asked else self._yield_until_s - self._clock()
            self._wake.wait(min(_LOOK_EVERY_S, max(left_s, 0.01)))
            self._wake.clear()
        if begun_s is not None:
            self.waited_s += self._clock() - begun_s
        if told and state == RUN:
            report("resumed")
        return state == RUN

    def check(self, report: Callable[[str], Any] = lambda state: None) -> None:
        """Wait while paused, as `gate`. Raises Cancelled when the run should stop."""
        if not self.gate(report):
            raise Cancelled("the run was told to stop")


@contextmanager
def only_run(run: Path, *, wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made where there is none.

    Raises TrainingError where another process has it, for longer than it takes to ask (a tenth of
    a second), or where there can be none.
    """
    with _opened(run / LOCK_FILE) as file:
        for left in reversed(range(_LOCK_TRIES)):
            if lock(file):
                break
            if left:
                wait(_LOCK_EVERY_S)
        else:
            raise TrainingError(
                f"this repository is being trained on already (process {owner(run) or 'unknown'})",
                fix="see `diffill train status`, or stop it with `diffill train stop`",
            )
        try:
            file.truncate(0)
            file.write(str(os.getpid()).encode())
        except OSError as error:
            raise _unusable(run / LOCK_FILE, error) from error
        yield


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold a lock, in a file that is made where there is none; False where another has it.

    Raises TrainingError where there can be no such file.
    """
    with _opened(path) as file:
        yield lock(file)


def is_locked(run: Path) -> bool:
    """Whether a run is at work in this folder."""
    try:
        with (run / LOCK_FILE).open("rb") as file:
            return not lock(file, shared=True)
    except OSError:
        return False


def owner(run: Path) -> str:
    """The number of the process that has the lock, or had it last; "" where none is known."""
    try:
        return (run / LOCK_FILE).read_bytes()[:20].decode("ascii", "replace").strip()
    except OSError:
        return ""


def _opened(path: Path) -> IO[bytes]:
    """A file to lock. Raises TrainingError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+b", buffering=0)  # what could not be written must not be tried again
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> TrainingError:
    return TrainingError(
        f"{path} could not be written ({error.strerror})",
        fix=f"free some disk space, or name another data folder in {DATA_VARIABLE}",
    )
