"""A folder has one run at a time, and what a kill left of a run is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffusion.errors import TrainingError
from diffusion.train.control import LOCK_FILE, is_locked
from diffusion.train.folder_lock import check_free, held

ROOT = Path(__file__).resolve().parents[3]
LEAVES_A_CHILD = """
import os, sys
from pathlib import Path
from diffusion.train.folder_lock import held
with held(Path(sys.argv[1])):
    if os.fork():
        os._exit(0)
    sys.stdin.read()
    os._exit(0)
"""


def test_a_second_run_is_refused(tmp_path: Path) -> None:
    check_free(tmp_path)
    with held(tmp_path):
        for second in (lambda: check_free(tmp_path), held(tmp_path).__enter__):
            with pytest.raises(TrainingError, match=rf"already \(process {os.getpid()}\); see "):
                second()
    check_free(tmp_path)
    with held(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).mkdir()
    with pytest.raises(TrainingError, match=r"could not be written .*; .* give another --out"):
        held(tmp_path).__enter__()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="locks are inherited where processes fork")
def test_what_a_killed_run_left_is_waited_for(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LEAVES_A_CHILD, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.wait() == 0 and is_locked(tmp_path)
        check_free(tmp_path)
        assert process.stdin is not None and process.stdout is not None
        end_it, ended, waits = process.stdin, process.stdout, []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            end_it.close()
            assert ended.read() == b""

        with held(tmp_path, wait=wait):
            assert waits == [0.5]
