"""Tuning that starts by itself: when, how long a day, on which power, and after which commits."""

from __future__ import annotations

import json
import os
import select
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.adapters.home import home_of
from diffusion.data.repository import scan_repository
from diffusion.errors import TrainingError
from diffusion.train import commit_hook
from diffusion.train.control import RUN, STOP, Control, alone, only_run
from diffusion.train.keep_up import (
    LOOKING_FILE,
    SPENT_FILE,
    Meter,
    Situation,
    Spent,
    situation,
    why_not,
)
from diffusion.train.power import on_battery
from diffusion.train.tune_cli import app
from tests.support.disk import smallest_files
from tests.support.repositories import write_repository

_LONG_S = 30.0
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def never() -> bool:
    raise AssertionError("the files were read for nothing")


READY = Situation(
    minutes_per_day=30.0, spent_minutes=0.0, on_battery=False, running=False, unfinished=False,
    changed=lambda: True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"changed": lambda: False}, "nothing has changed"),
        ({"changed": never, "unfinished": True}, None),
        ({"changed": never, "running": True}, "at work already"),
        ({"changed": never, "on_battery": True}, "on its battery"),
        ({"changed": never, "on_battery": True, "unfinished": True}, "on its battery"),
        ({"changed": never, "spent_minutes": 30.0}, "30.0 of today's 30 minutes"),
        ({"changed": never, "spent_minutes": 29.6}, "29.6 of today's 30 minutes"),
        ({"spent_minutes": 29.5}, None),
        ({"changed": never, "spent_minutes": 31.0, "unfinished": True}, "31.0 of today's"),
        ({"changed": never, "minutes_per_day": 0.0}, "0.0 of today's 0 minutes"),
    ],
)
def test_whether_a_run_begins(change: dict[str, Any], said: str | None) -> None:
    why = why_not(replace(READY, **change))
    assert why is None if said is None else why is not None and said in why


def test_what_a_day_has_used_is_known_to_other_processes_until_midnight(tmp_path: Path) -> None:
    file = tmp_path / "home" / "keep-up.json"
    monday, tuesday = (lambda: date(2026, 11, 23)), (lambda: date(2026, 11, 24))
    assert Spent(file, monday).minutes() == 0.0
    assert Spent(file, monday).add(3.0) == 3.0
    assert Spent(file, monday).add(1.5) == 4.5
    assert Spent(file, monday).minutes() == 4.5
    assert Spent(file, tuesday).minutes() == 0.0
    assert Spent(file, tuesday).add(1.0) == 1.0
    file.write_text("{")
    assert Spent(file, tuesday).minutes() == 0.0


class Meters:
    """A meter with a clock and a battery in the test's hands."""

    def __init__(self, folder: Path, most: float) -> None:
        self.now_s, self.battery = 100.0, False
        self.control = Control(folder)
        self.heard: list[dict[str, Any]] = []
        self.spent = Spent(folder / "keep-up.json")
        meter = Meter(
            self.spent, most, clock=lambda: self.now_s, battery=lambda: self.battery
        )
        self.report = meter.listening(self.control, self.heard.append)

    def hear(self, after_s: float) -> str:
        self.now_s += after_s
        self.report({"event": "train"})
        return self.control.now()


def test_a_run_stops_when_the_day_is_used_up(tmp_path: Path) -> None:
    first = Meters(tmp_path, 2.0)
    assert [first.hear(30.0), first.hear(30.0)] == [RUN, RUN]
    second = Meters(tmp_path, 2.0)  # the next process goes on with the same day
    assert [second.hear(45.0), second.hear(15.0)] == [RUN, STOP]
    assert second.spent.minutes() == pytest.approx(2.0)
    assert second.heard == [{"event": "train"}] * 2


def test_a_run_stops_when_the_plug_is_pulled(tmp_path: Path) -> None:
    meters = Meters(tmp_path, 30.0)
    assert meters.hear(1.0) == RUN
    meters.battery = True
    assert meters.hear(1.0) == STOP


def test_time_that_cannot_be_booked_is_not_used(tmp_path: Path) -> None:
    meters = Meters(tmp_path, 30.0)
    with smallest_files(4):
        assert meters.hear(1.0) == STOP
    assert len(meters.heard) == 1


def supply(folder: Path, name: str, **files: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, text in files.items():
        (folder / name / file).write_text(f"{text}\n")


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Charging"}}, False),
        ({"AC": {"type": "Mains", "online": "1"},
          "BAT0": {"type": "Battery", "status": "Discharging"}}, False),
        ({"AC": {"type": "Mains", "online": "0"},
          "BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, False),
    ],
)  # fmt: skip
def test_linux_says_what_feeds_the_machine(
    tmp_path: Path, supplies: dict[str, dict[str, str]], expected: bool
) -> None:
    (tmp_path / "power").mkdir()
    for name, files in supplies.items():
        supply(tmp_path / "power", name, **files)
    assert on_battery("linux", tmp_path / "power") is expected


def test_other_machines_count_as_plugged_in_unless_they_say_so(tmp_path: Path) -> None:
    def broken() -> str:
        raise OSError("no pmset")

    assert on_battery("darwin", tmp_path, lambda: "Now drawing from 'Battery Power'\n -Internal")
    assert not on_battery("darwin", tmp_path, lambda: "Now drawing from 'AC Power'\n")
    assert not on_battery("darwin", tmp_path, broken)
    assert not on_battery("win32", tmp_path)
    assert not on_battery("linux", tmp_path / "none")


def test_files_that_were_learned_from_have_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", 4)
    home = home_of(root)
    assert situation(home, 30.0).changed()
    home.run.mkdir(parents=True)
    plan = {"data_digest": scan_repository(root).digest}
    (home.run / "plan.json").write_text(json.dumps(plan))
    (home.run / "status.json").write_text('{"state": "done"}')
    now = situation(home, 30.0)
    assert not now.changed() and not now.unfinished and not now.running
    answer = CliRunner().invoke(app, [str(root), "--keep-up", "--json", "--nice", "0"])
    assert (answer.exit_code, json.loads(answer.stdout)["event"]) == (0, "stopped")
    assert Spent(home.folder / SPENT_FILE).minutes() > 0.0, "to read all files takes time, too"
    (root / "module_0.py").write_text("VALUE = 1\n" * 30)
    assert now.changed()
    (home.run / "status.json").write_text('{"state": "stopped"}')
    assert situation(home, 30.0).unfinished
    with only_run(home.run):
        assert situation(home, 30.0).running


@pytest.mark.parametrize(
    ("left", "over", "unfinished"),
    [((), False, False), (("config.json",), False, True), (("config.json",), True, False)],
)
def test_a_run_that_failed_goes_on_unless_it_would_fail_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...], over: bool,
    unfinished: bool,
) -> None:  # fmt: skip
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    home = home_of(tmp_path)
    home.run.mkdir(parents=True)
    (home.run / "status.json").write_text('{"state": "failed"}')
    for name in (*left, *(["over.json"] if over else [])):
        (home.run / name).write_text("{}")
    assert situation(home, 30.0).unfinished is unfinished


def keep_up(root: Path) -> subprocess.CompletedProcess[str]:
    """A start as a commit makes it; says at the end which heavy modules it has loaded."""
    program = (
        "import sys\n"
        "from diffusion.train.tune_cli import app\n"
        "try:\n    app(sys.argv[1:])\n"
        "finally:\n    print(*{'torch', 'numpy', 'detect_secrets'} & {*sys.modules})\n"
    )
    words = [str(root), "--keep-up", "--json", "--nice", "0"]
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False,
        timeout=_LONG_S, cwd=Path(__file__).parents[3],
    )  # fmt: skip


@pytest.mark.parametrize("why", ["the day is used up", "another start is at work"])
def test_a_start_that_is_refused_costs_next_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    home = home_of(write_repository(tmp_path / "repository", 4))
    if why == "the day is used up":
        Spent(home.folder / SPENT_FILE).add(30.0)
        done = keep_up(home.root)
    else:
        with alone(home.folder / LOOKING_FILE):
            done = keep_up(home.root)
        assert not (home.folder / SPENT_FILE).exists(), "it is written by the other one"
    said, loaded = done.stdout.splitlines()
    assert done.returncode == 0 and loaded == ""
    expected = "30.0 of today's 30 minutes" if why == "the day is used up" else "another start"
    assert expected in json.loads(said)["message"]


def test_a_start_that_cannot_look_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", 4)
    (home_of(root).folder / LOOKING_FILE).mkdir(parents=True)
    answer = CliRunner().invoke(app, [str(root), "--keep-up", "--json", "--nice", "0"])
    assert answer.exit_code == 2 and json.loads(answer.stdout)["event"] == "failed"
    assert "DIFFILL_DATA" in answer.stderr


# The hook


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "a repository"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.txt").write_text("one\n")
    git(root, "add", "a.txt")
    return root


def git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *names, *words], cwd=root, capture_output=True, text=True, check=False, env=env,
        timeout=_LONG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def hook(root: Path) -> Path:
    return root / ".git" / "hooks" / "post-commit"


@needs_git
def test_a_commit_starts_the_run_and_does_not_wait_for_it(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    fake = tmp_path / "fake python"
    # Opening a pipe to write waits until somebody reads: were the commit to wait, so would this.
    fake.write_text(f'#!/bin/sh\necho "$PWD|$GIT_DIR|$*" > {pipe}\nexit 9\n')
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    assert commit_hook.install(repository, 20.0) == hook(repository)
    done = git(repository, "commit", "-q", "-m", "one")
    assert done.stdout == ""
    reader = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    assert select.select([reader], [], [], _LONG_S)[0], "the hook started nothing"
    told = os.read(reader, 4096).decode().strip()
    os.close(reader)
    wanted = "-P -m diffusion train . --keep-up --minutes-per-day 20"
    assert told == f"{repository.resolve()}||{wanted}"


@needs_git
def test_a_run_that_cannot_start_fails_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/gone/python")
    commit_hook.install(repository, 20.0)
    done = git(repository, "commit", "-m", "one")
    assert "gone" not in done.stderr
    assert git(repository, "log", "--format=%s").stdout == "one\n"


@needs_git
def test_the_hook_is_renewed_and_taken_out(repository: Path) -> None:
    for words in (("--install-hook", "--minutes-per-day", "5"), ("--install-hook",)):
        answer = CliRunner().invoke(app, [str(repository), *words])
        assert answer.exit_code == 0 and "after every commit" in answer.stdout
    assert "--minutes-per-day 30" in hook(repository).read_text()
    assert hook(repository).stat().st_mode & stat.S_IXUSR
    answer = CliRunner().invoke(app, [str(repository), "--remove-hook", "--json"])
    assert json.loads(answer.stdout) == {"hook": str(hook(repository)), "installed": False}
    assert not hook(repository).exists()
    answer = CliRunner().invoke(app, [str(repository), "--remove-hook"])
    assert answer.exit_code == 2 and "there is no" in answer.stderr


@needs_git
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_hook_of_others_is_left_alone(repository: Path, tmp_path: Path, kind: str) -> None:
    foreign = "#!/bin/sh\necho mine\n"
    hook(repository).parent.mkdir(exist_ok=True)
    if kind == "file":
        hook(repository).write_text(foreign)
    else:
        (tmp_path / "theirs").write_text(foreign)
        hook(repository).symlink_to(tmp_path / "theirs")
    with pytest.raises(TrainingError, match=r"left alone.*add this line to it: \(trap"):
        commit_hook.install(repository, 30.0)
    with pytest.raises(TrainingError, match="no hook of Diffill's"):
        commit_hook.remove(repository)
    assert hook(repository).read_text() == foreign


@needs_git
def test_hooks_that_others_may_share_are_left_alone(repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "core.hooksPath", str(tmp_path / "shared"))
    with pytest.raises(TrainingError, match=r"core\.hooksPath.*add this line"):
        commit_hook.install(repository, 30.0)
    assert not (tmp_path / "shared").exists() and not hook(repository).exists()
    with pytest.raises(TrainingError, match="no git repository"):
        commit_hook.install(tmp_path, 30.0)


@needs_git
def test_hooks_behind_a_link_out_of_the_repository_are_left_alone(
    repository: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shutil.rmtree(hook(repository).parent, ignore_errors=True)
    hook(repository).parent.symlink_to(shared)
    with pytest.raises(TrainingError, match=r"outside of this repository's \.git.*add this line"):
        commit_hook.install(repository, 30.0)
    assert not list(shared.iterdir())
    within = repository / ".git" / "our hooks"
    within.mkdir()
    hook(repository).parent.unlink()
    hook(repository).parent.symlink_to(within)
    assert commit_hook.install(repository, 30.0) == hook(repository)
    assert [path.name for path in within.iterdir()] == ["post-commit"]
