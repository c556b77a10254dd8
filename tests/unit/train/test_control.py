"""The lock of a run: one process holds it, and who only asks is in nobody's way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from diffusion.errors import TrainingError
from diffusion.train.control import LOCK_FILE, alone, is_locked, only_run
from tests.support.disk import smallest_files

if sys.platform == "win32":
    pytest.skip("locks are never shared there", allow_module_level=True)
import fcntl


def test_who_asks_sees_a_run_and_not_others_who_ask(tmp_path: Path) -> None:
    assert not is_locked(tmp_path) and not (tmp_path / LOCK_FILE).exists()
    with only_run(tmp_path):
        assert is_locked(tmp_path)
    with (tmp_path / LOCK_FILE).open("rb") as another:
        fcntl.flock(another.fileno(), fcntl.LOCK_SH)
        assert not is_locked(tmp_path)


@pytest.mark.parametrize(("waits", "runs"), [(1, True), (10, True), (11, False)])
def test_a_run_waits_for_those_who_ask_a_tenth_of_a_second(
    tmp_path: Path, waits: int, runs: bool
) -> None:
    waited: list[float] = []
    with (tmp_path / LOCK_FILE).open("w+b") as another:
        another.write(b"123")
        another.flush()
        fcntl.flock(another.fileno(), fcntl.LOCK_SH)

        def wait(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == waits:
                fcntl.flock(another.fileno(), fcntl.LOCK_UN)

        if runs:
            with only_run(tmp_path, wait=wait):
                assert len(waited) == waits
        else:
            with (
                pytest.raises(TrainingError, match=r"already \(process 123\)"),
                only_run(tmp_path, wait=wait),
            ):
                raise AssertionError("two runs at once")
            assert sum(waited) == pytest.approx(0.1)


def test_one_of_several_is_alone(tmp_path: Path) -> None:
    file = tmp_path / "home" / "a.lock"
    with alone(file) as first, alone(file) as second:
        assert first and not second
    with alone(file) as third:
        assert third


def test_a_lock_on_a_full_disk_is_told_with_what_to_do(tmp_path: Path) -> None:
    with (
        smallest_files(0),
        pytest.raises(TrainingError, match=r"run\.lock could not be written.*DIFFILL_DATA"),
        only_run(tmp_path / "run"),
    ):
        raise AssertionError("there is no room for the lock")
