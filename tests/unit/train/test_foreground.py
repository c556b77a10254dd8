"""A run of several processes in front of the shell: what stops the command stops the run, saved."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
COMMAND = """
import os, signal, sys
from pathlib import Path
from diffusion.train.foreground import run
for name in "SIGINT", "SIGTERM", "SIGHUP":  # whoever runs the tests may ignore some of them
    signal.signal(getattr(signal, name), signal.SIG_DFL)
sys.exit(run([sys.executable, "-c", *sys.argv[2:]], Path(sys.argv[1]), os.environ))
"""
STOPS_ITS_STARTER = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getppid(), getattr(signal, sys.argv[1]))
signal.sigwait([signal.SIGTERM])
print("saved")
if len(sys.argv) > 2:
    with open(sys.argv[2] + "/status.json", "w") as file:
        file.write('{"event": "stopped", "state": "stopped"}')
sys.exit(1)
"""


def started(out: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(out), *words],
        check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_stop_reaches_the_run_and_is_waited_for(tmp_path: Path, name: str) -> None:
    assert started(tmp_path, STOPS_ITS_STARTER, name, str(tmp_path)) == (0, "saved\n")


def test_a_run_that_could_not_save_has_failed(tmp_path: Path) -> None:
    assert started(tmp_path, STOPS_ITS_STARTER, "SIGTERM") == (1, "saved\n")


def test_the_status_of_a_run_is_that_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"event": "stopped", "state": "stopped"}')  # an old one
    assert started(tmp_path, "import sys; sys.exit(3)")[0] == 3
    assert started(tmp_path, "import os; os.kill(os.getpid(), 9)")[0] == 137
