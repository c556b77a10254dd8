"""A run of several processes in front of the shell: what stops the command stops the run.

The launcher (`torch.distributed.run`) gets a session of its own, so that a Ctrl-C reaches it from
here and once: the terminal's would come to its processes, too, and again while they save.

Invariant: when `run` returns, no process of the run is at work.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffusion.errors import TrainingError
from diffusion.train.run_log import read_status

_STOPS = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one is not everywhere


def run(command: Sequence[str], out: Path, env: Mapping[str, str]) -> int:
    """Run `command`, which trains in `out`, to its end; gives back its exit status.

    What would end this process becomes SIGTERM to the launcher. A run that saved and stopped by it
    has status 0, as it has in one process.
    """
    asked = False
    process: subprocess.Popen[bytes] | None = None

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True
        if process is not None:
            process.terminate()

    wanted = [getattr(signal, name) for name in _STOPS if hasattr(signal, name)]
    before = {
        number: signal.signal(number, stop)
        for number in wanted
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup
    }
    try:
        process = subprocess.Popen(command, env=env, start_new_session=True)
        if asked:
            process.terminate()
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked and _saved(out):
        return 0
    return code if code >= 0 else 128 - code


def _saved(out: Path) -> bool:
    try:
        return read_status(out).get("state") in ("stopped", "done")
    except TrainingError:
        return False
