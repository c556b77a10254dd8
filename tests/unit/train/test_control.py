"""What a run is told, and its lock: one process holds it, who only asks is in nobody's way."""

from __future__ import annotations

import io
import itertools
import os
import sys
from pathlib import Path

import pytest

from diffusion.errors import TrainingError
from diffusion.train.control import (
    CONTROL_FILE,
    LOCK_FILE,
    PAUSE,
    RUN,
    STOP,
    Control,
    alone,
    is_locked,
    only_run,
    want,
    wanted,
)
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


@pytest.mark.parametrize("word", ["\u00b2", "\u0663", "-1", "1.5", "9" * 5000])
def test_what_is_no_number_is_passed_over(tmp_path: Path, word: str) -> None:
    control = Control(tmp_path)
    control.tell(f"yield {word}\n")
    assert control.gate(), "no wait"
    control.listen(io.StringIO(f"yield {word}\nstop\n"))
    while control.now() != STOP:
        assert control._wake.wait(10), "the thread has ended"
        control._wake.clear()


@pytest.mark.parametrize(
    ("told", "in_file", "now"),
    [
        (["nonsense"], RUN, RUN),
        (["pause"], RUN, PAUSE),
        (["pause", "resume"], RUN, RUN),
        (["resume"], PAUSE, RUN),
        (["pause"], STOP, STOP),  # a stop outranks a pause, whoever says which
        (["stop"], PAUSE, STOP),
        (["stop", "resume"], RUN, STOP),
        (["yield 5000"], RUN, PAUSE),
        (["yield 500"], RUN, RUN),  # it is over
        (["yield 5000", "yield 1"], RUN, PAUSE),
        (["yield 5000", "resume"], RUN, RUN),
    ],
)
def test_of_what_was_told_the_newest_word_counts_and_a_stop_stays(
    tmp_path: Path, told: list[str], in_file: str, now: str
) -> None:
    clock_s = 100.0
    want(tmp_path, in_file)
    control = Control(tmp_path, clock=lambda: clock_s)
    for word in told:
        control.tell(f"{word}\n")
    clock_s += 1.0
    assert control.now() == now


def test_the_end_of_stdin_means_stop(tmp_path: Path) -> None:
    control = Control(tmp_path)
    control.listen(io.StringIO("pause\n"))
    while control.now() != STOP:
        assert control._wake.wait(10), "the thread has ended"
        control._wake.clear()


@pytest.mark.parametrize(
    ("then", "said"), [("resume", ["paused", "resumed"]), ("stop", ["paused"])]
)
def test_a_run_that_is_stopped_while_it_waits_does_not_resume(
    tmp_path: Path, then: str, said: list[str]
) -> None:
    control, heard = Control(tmp_path), list[str]()
    control.tell("pause")

    def hear(what: str) -> None:
        heard.append(what)
        if what == "paused":
            control.tell(then)

    assert control.gate(hear) is (then == "resume") and heard == said


def test_all_waits_are_counted(tmp_path: Path) -> None:
    ticks = itertools.count()
    control = Control(tmp_path, clock=lambda: float(next(ticks)))
    waited = [control.waited_s]
    for _ in range(2):
        control.tell("yield 5000")
        assert control.gate()
        waited.append(control.waited_s)
    assert waited[0] == 0.0 < waited[1] < waited[2]


def test_of_a_run_that_has_ended_no_number_is_left(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text("1234567890")
    with only_run(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == str(os.getpid())


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


@pytest.mark.parametrize(
    ("told", "then_in_file", "now"),
    [
        ("pause", RUN, RUN),  # `diffill train resume` in a terminal takes an editor's pause back
        ("resume", PAUSE, PAUSE),
        ("stop", RUN, STOP),
    ],
)
def test_a_word_from_a_terminal_is_newer_than_what_was_said_on_stdin(
    tmp_path: Path, told: str, then_in_file: str, now: str
) -> None:
    clock_s = 100.0
    control = Control(tmp_path, clock=lambda: clock_s)
    control.tell(told)
    control.begin()
    assert control.now() == {"resume": RUN}.get(told, told)
    want(tmp_path, then_in_file)
    clock_s += 1.0
    assert control.now() == now
    control.tell("pause")
    assert control.now() == (STOP if told == "stop" else PAUSE), "and back"


@pytest.mark.parametrize("earlier", [RUN, PAUSE, STOP])
@pytest.mark.parametrize("word", [PAUSE, STOP])
def test_what_was_said_to_an_earlier_run_is_not_for_this_one_but_all_since_is(
    tmp_path: Path, earlier: str, word: str
) -> None:
    want(tmp_path, earlier)
    control = Control(tmp_path)
    control.begin()
    with only_run(tmp_path):  # from here on it can be steered
        want(tmp_path, word)
        assert control.now() == word
    after = Control(tmp_path)
    after.begin()
    assert after.now() == RUN


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ('{"wanted": "pause"}', PAUSE),  # as versions before this one write it
        ('{"wanted": "pause", "at_ns": "x"}', RUN), ('{"wanted": []}', RUN), ("[]", RUN),
        ("{", RUN), ("\xff", RUN),
    ],
)  # fmt: skip
def test_a_file_that_says_nothing_asks_for_nothing(tmp_path: Path, text: str, now: str) -> None:
    (tmp_path / CONTROL_FILE).write_bytes(text.encode("latin-1"))
    assert Control(tmp_path).now() == wanted(tmp_path) == now
