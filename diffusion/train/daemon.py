"""Starts a training run that outlives the shell: its own session, a log file, a pid file.

The run is the same command without `--daemon`. It is also how several processes on one machine
are started (`torch.distributed.run`, each process one copy of the command). The parent waits until
the run is in its first stage, so that a mistake in the options is told at once.

What stops it: its budget, or SIGTERM to the process in `daemon.pid` (it saves first). Whether a run
is at work is what the folder's lock says, not that number, which may be another program's by now.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from diffusion.errors import TrainingError
from diffusion.train.folder_lock import check_free
from diffusion.train.run_log import STATUS, read_status

LOG, PID = "daemon.log", "daemon.pid"
_START_S = 180.0
_SAVE_S = "600"
"""How long the launcher waits for processes that were told to stop; its own 30 may be too few."""
_LOOK_EVERY_S = 0.2
_HERE = Path(__file__).resolve().parents[2]


def command_line(arguments: Sequence[str], *, processes: int = 1) -> list[str]:
    """The command of a run with these arguments of `diffill pretrain`."""
    own = ["-m", "diffusion", "pretrain", *arguments]
    python = [sys.executable, "-P"]  # it must import nothing from the folder that the shell is in
    if processes == 1:
        return [*python, *own]
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    return [*python, *launcher, *own]


def environment(*, threads: int | None, accelerator: bool) -> dict[str, str]:
    """This process's environment with what the processes of a run need besides."""
    found = dict(os.environ)
    found["PYTHONPATH"] = os.pathsep.join([str(_HERE), *filter(None, [found.get("PYTHONPATH")])])
    found["PYTHONSAFEPATH"] = "1"  # for what a launcher starts, too
    found.setdefault("OMP_NUM_THREADS", str(threads or 1))
    found.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", _SAVE_S)
    if not accelerator:
        found["ACCELERATE_USE_CPU"] = "true"
    return found


def start(command: Sequence[str], out: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, its output in `out`; returns its process.

    Raises TrainingError if a run is at work in `out` already, or if this one fails, or ends in
    another way than well, before its first stage.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        check_free(out)
        seen = _stamp(out)
        with (out / LOG).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                start_new_session=True,
            )  # fmt: skip
        (out / PID).write_text(str(process.pid), encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"no daemon could be started in {out} ({error})") from error
    deadline = time.monotonic() + _START_S
    code: int | None = None
    while code is None and time.monotonic() < deadline:
        status = read_status(out) if _stamp(out) != seen else {}
        if status.get("state") in ("done", "stopped"):
            return process
        if status.get("state") == "runs" and "stage" in status:
            return process
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(_LOOK_EVERY_S)
    status = read_status(out) if _stamp(out) != seen else {}
    if status.get("state") == "failed":
        raise TrainingError(f"the run failed at once: {status.get('message')}")
    if code or (code == 0 and not status):
        lines = (out / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        raise TrainingError(
            f"the run ended at once with status {code}: {' '.join(lines[-3:]).strip()} "
            f"(all of it is in {out / LOG})"
        )
    return process


def _stamp(out: Path) -> int:
    """When the status was last written, 0 where there is none."""
    path = out / STATUS
    return path.stat().st_mtime_ns if path.exists() else 0
