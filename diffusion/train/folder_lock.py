"""One pretraining run a folder: two would remove each other's checkpoints.

The lock is that of tuning (`control.only_run`): `run.lock` in the folder, held as long as the
process lives, whatever ends it. Processes that it has forked, which build batches, hold it too;
after a kill they notice within seconds that their parent is gone, and are waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from diffusion.alive import is_alive
from diffusion.errors import TrainingError
from diffusion.train.control import LOCK_FILE, is_locked, only_run

_ORPHANS_S = 30.0
_LOOK_EVERY_S = 0.5


@contextmanager
def held(out: Path, *, wait: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Hold the folder of a run.

    Raises TrainingError where another run has it, or where there can be no lock.

    Args:
        wait: sleeps for so many seconds, while what is left of a killed run comes to its end.
    """
    deadline = time.monotonic() + _ORPHANS_S
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(only_run(out))
                break
            except TrainingError as error:
                if isinstance(error.__cause__, OSError):
                    raise TrainingError(
                        f"{out / LOCK_FILE} could not be written ({error.__cause__.strerror})",
                        fix="free some disk space, or give another --out",
                    ) from error
                if _owner_is_alive(out) or time.monotonic() > deadline:
                    raise _at_work(out) from error
            wait(_LOOK_EVERY_S)
        yield


def check_free(out: Path) -> None:
    """Raises TrainingError where a run is at work in `out`, and not only what a kill left of it."""
    if is_locked(out) and _owner_is_alive(out):
        raise _at_work(out)


def _owner(out: Path) -> str:
    return (out / LOCK_FILE).read_text(encoding="utf-8").strip() or "unknown"


def _owner_is_alive(out: Path) -> bool:
    """Also where nothing is known of it: another process has just begun."""
    owner = _owner(out)
    return not owner.isdecimal() or is_alive(int(owner))


def _at_work(out: Path) -> TrainingError:
    return TrainingError(
        f"a run is at work in {out} already (process {_owner(out)})",
        fix=f"see `diffill pretrain --status {out}`, stop it with SIGTERM to that process, or give "
        "another --out",
    )
