"""Tuning that starts by itself: when, how long a day, and on which power."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.data.repository import scan_repository
from diffusion.pretrained import bundled_model_dir
from diffusion.train.begun import Begun, begun, spelled
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
        ({"changed": never, "unfinished": True, "other_model": "/m"}, "another model, /m"),
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


def test_a_run_of_another_model_is_left_to_who_began_it(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    home = home_of(tmp_path)
    home.run.mkdir(parents=True)
    link, theirs = tmp_path / "link", tmp_path / "theirs"
    link.symlink_to(tiny_model_dir)
    shutil.copytree(tiny_model_dir, theirs)
    (theirs / "model.safetensors").write_bytes(b"other weights")
    (theirs / "manifest.json").unlink(missing_ok=True)

    def other(
        begun_with: Path | None, base: str, tuned: Path, state: str = "stopped"
    ) -> str | None:
        (home.run / "status.json").write_text(json.dumps({"state": state}))
        named = {} if begun_with is None else {"model": spelled(begun_with)}
        (home.run / "config.json").write_text(json.dumps({"base": base, **named}))
        return situation(home, 30.0, tuned).other_model

    tiny, copy = base_of(tiny_model_dir).weights_sha256, base_of(theirs).weights_sha256
    assert other(theirs, copy, tiny_model_dir) == str(theirs.resolve())
    assert other(bundled_model_dir(), "0" * 64, tiny_model_dir) == "the bundled one"
    assert other(theirs, copy, theirs) is None
    assert other(theirs, tiny, link) is None, "the same weights, wherever they lie"
    assert other(link, "0" * 64, tiny_model_dir) is None, "updated since: nobody can go on with it"
    assert other(None, copy, tiny_model_dir) is None, "an earlier version did not say"
    assert other(theirs, copy, tiny_model_dir, state="done") is None


@pytest.mark.parametrize("text", ["", "[]", '{"base": 3, "model": "x"}', '{"model": "x"}'])
def test_what_a_run_was_begun_with_is_not_known_where_that_is_damaged(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    assert begun(tmp_path) == Begun()
    assert begun(tmp_path).other_model(None) is None


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


@pytest.mark.parametrize(
    "minutes", ["NaN", "Infinity", "-Infinity", "-3.0", "1" + "0" * 400, "1e999", '"x"', "null"]
)
def test_what_is_no_length_of_time_was_not_used(tmp_path: Path, minutes: str) -> None:
    spent, day = Spent(tmp_path / SPENT_FILE), date.today().isoformat()
    (tmp_path / SPENT_FILE).write_text(f'{{"day": "{day}", "minutes": {minutes}}}')
    assert spent.minutes() == 0.0
    assert spent.add(1.5) == spent.minutes() == 1.5


def test_to_look_through_files_that_hold_nothing_takes_time_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    home = home_of(write_repository(tmp_path / "repository", 0))
    home.run.mkdir(parents=True)
    (home.run / "plan.json").write_text('{"data_digest": "of files that are gone"}')
    (home.run / "status.json").write_text('{"state": "done"}')
    answer = CliRunner().invoke(app, [str(home.root), "--keep-up", "--json", "--nice", "0"])
    assert answer.exit_code == 2 and "no file to learn from" in answer.stderr
    assert Spent(home.folder / SPENT_FILE).minutes() > 0.0


def test_on_the_battery_an_event_books_its_minutes_too(tmp_path: Path) -> None:
    meters = Meters(tmp_path, 30.0)
    meters.battery = True
    assert meters.hear(90.0) == STOP and meters.spent.minutes() == pytest.approx(1.5)
