"""`diffill train` as it is typed: what is refused, how failures are told, what a signal does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.adapters.base import base_of
from diffusion.adapters.home import home_of
from diffusion.data.repository import scan_repository
from diffusion.errors import ConfigError
from diffusion.train import tune_job
from diffusion.train.control import LOCK_FILE, RUN, STOP, Control
from diffusion.train.run_state import run_state
from diffusion.train.signals import stopped_by_signals
from diffusion.train.team import Team
from diffusion.train.tune_cli import app
from diffusion.train.tune_data import DATA, GENERAL
from diffusion.train.tune_stored import StoredRun, digests, store
from tests.support.repositories import write_repository
from tests.unit.train.tuning import CONFIG


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIFFILL_DATA", str(tmp_path / "data"))
    root = write_repository(tmp_path / "repository", 4)
    (root / ".git").mkdir()
    return root


def call(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit status, events, stderr."""
    answer = CliRunner().invoke(app, [*words, "--json"])
    return answer.exit_code, [json.loads(x) for x in answer.stdout.splitlines()], answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--install-hook", "--remove-hook"], "--install-hook and --remove-hook are opposites"),
        (["--install-hook", "--minutes", "3", "--method", "full", "--model", "/nope"],
         "--minutes and --method would do nothing here"),
        (["--remove-hook", "--minutes-per-day", "3"], "--minutes-per-day would do nothing here"),
        (["--minutes-per-day", "3"], "--minutes-per-day would do nothing here"),
        (["--probe-s", "3"], "--probe-s would do nothing here"),
        (["--out", "page.html"], "--out would do nothing here"),
        (["--dry-run", "--out", "page.html"], "--out would do nothing here"),
        (["--no-select", "--install-hook"], "--select/--no-select would do nothing"),
        (["--dry-run", "--keep-up", "--minutes-per-day", "3", "--no-select", "--name", "x"],
         "--name and --select/--no-select and --keep-up and --minutes-per-day would do nothing"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(
    repository: Path, words: list[str], said: str
) -> None:
    code, events, errors = call(str(repository), *words)
    assert code == 2 and said in errors and [e["event"] for e in events] == ["failed"]
    assert not (repository / ".git" / "hooks").exists() and not home_of(repository).run.exists()


def test_a_name_that_is_too_long_is_no_repository() -> None:
    code, events, errors = call("r" * 300)
    assert code == 2 and [e["event"] for e in events] == ["failed"] and "rrr is no folder" in errors


def test_what_is_asked_of_a_run_takes_no_options_of_a_run(repository: Path) -> None:
    for action in ("status", "stop", "report"):
        code, _, errors = call(action, str(repository), "--fresh", "--minutes", "3")
        assert code == 2 and "--minutes and --fresh would do nothing here" in errors
    assert call("status", str(repository)) == (0, [{"state": "none"}], "")


@pytest.mark.parametrize(
    ("name", "value"), [("WORLD_SIZE", "x"), ("WORLD_SIZE", "0"), ("RANK", "first")]
)
def test_what_no_launcher_says_is_told_with_the_variable(
    repository: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv(name, value)
    code, events, errors = call("status", str(repository))
    said = f"{name} is {value!r}; unset it, or start with `torchrun`"
    assert code == 2 and events[0]["message"].startswith(said) and said in errors


def test_an_empty_number_of_processes_is_one(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "")
    assert call("status", str(repository)) == (0, [{"state": "none"}], "")
    assert Team().size == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "magic"], "no method of tuning"),
        (["--minutes", "ten"], "--minutes"),
        (["--cases"], "--cases"),
        (["--minutes", "inf"], "--minutes is inf"),
        (["--dry-run", "--minutes", "nan"], "--minutes is nan"),
        (["--keep-up", "--minutes-per-day", "inf"], "--minutes-per-day is inf"),
        (["--dry-run", "--probe-s", "inf"], "--probe-s is inf"),
        (["--threads", "100000"], "--threads"),
        (["--model", "/nope"], "/nope"),
        (["--dry-run", "--model", "/nope"], "/nope"),
    ],
)
def test_a_failure_is_one_event(repository: Path, words: list[str], said: str) -> None:
    code, events, errors = call(str(repository), "--nice", "0", *words)
    assert code == 2 and [event["event"] for event in events] == ["failed"]
    assert said in events[0]["message"] and said in errors and len(errors.splitlines()) == 1


@pytest.mark.parametrize("probe_s", ["0", "0.01"])
def test_a_plan_says_that_there_can_be_no_run(
    repository: Path, tiny_model_dir: Path, probe_s: str
) -> None:
    for file in list(repository.glob("*.py"))[1:]:
        file.unlink()
    words = ["--dry-run", "--probe-s", probe_s, "--model", str(tiny_model_dir), "--nice", "0"]
    code, events, errors = call(str(repository), *words)
    assert code == 2 and [event["event"] for event in events] == ["failed"]
    assert "too little code to learn from" in errors


def test_a_folder_that_cannot_be_locked_is_told_with_what_to_do(
    repository: Path, tiny_model_dir: Path
) -> None:
    (home_of(repository).run / LOCK_FILE).mkdir(parents=True)
    code, events, errors = call(
        str(repository), "--model", str(tiny_model_dir), "--nice", "0"
    )
    assert code == 2 and [event["event"] for event in events] == ["failed"]
    assert "run.lock could not be written" in errors and "DIFFILL_DATA" in errors


def test_a_plan_that_is_told_to_end_leaves_no_text(
    repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of(repository)
    left = home.folder / "probe-999999999-0123"  # no process has such a number
    (left / DATA).mkdir(parents=True)

    def ended(scratch: Path, *_: Any, **__: Any) -> None:
        assert scratch.is_dir() and not left.exists()
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("it would have ended there"))
    try:
        monkeypatch.setattr(tune_job, "probe", ended)
        code, _, _ = call(
            str(repository), "--dry-run", "--model", str(tiny_model_dir), "--nice", "0"
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert code == 128 + signal.SIGTERM and list(home.folder.iterdir()) == []


def test_a_home_may_be_written_as_in_an_editor_s_settings(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "m").symlink_to(tiny_model_dir)
    options = tune_job.TuneOptions(model=Path("~/m"))
    assert base_of(options.model_dir) == base_of(tiny_model_dir)
    with pytest.raises(ConfigError, match=r"~nobody-of-that-name.*write the path out"):
        _ = tune_job.TuneOptions(model=Path("~nobody-of-that-name/m")).model_dir


def test_a_failure_that_the_run_has_told_is_not_told_twice(repository: Path) -> None:
    for file in repository.glob("*.py"):
        file.unlink()
    code, events, errors = call(str(repository), "--nice", "0")
    assert code == 2 and [event["event"] for event in events] == ["scanning", "failed"]
    assert "no file to learn from" in events[-1]["message"] and events[-1]["message"] in errors


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "is damaged"),
        (["--minutes", "3"], "is damaged"),
        (["--learning-rate", "0.01"], "is damaged"),
        (["--keep-up", "--method", "full"], "is damaged"),
        (["--learning-rate", "auto"], "not --learning-rate auto"),
        (["--method", "full"], "not --method full"),
    ],
)
def test_what_is_not_given_is_the_run_s_own(
    repository: Path, tiny_model_dir: Path, words: list[str], said: str
) -> None:
    run = home_of(repository).run
    for name in (DATA, GENERAL):
        (run / name).mkdir(parents=True)  # no text: whatever goes on with it ends there
    (run / "status.json").write_text('{"state": "stopped"}')
    known = digests(scan_repository(repository))
    base = base_of(tiny_model_dir).weights_sha256
    store(run, StoredRun(CONFIG, {"tokens": 9}, base, None, False, known))
    model = ["--model", str(tiny_model_dir), "--nice", "0"]
    code, events, _ = call(str(repository), *model, *words)
    kinds = ["resumed", "failed"] if said == "is damaged" else ["failed"]
    assert code == 2 and [event["event"] for event in events] == kinds
    assert said in events[-1]["message"]


TELLS = """
import sys
from diffusion.train.tune_cli import _json_line, _Told
told = _Told(_json_line)
told.on_gone = lambda: print("nobody reads", file=sys.stderr)
sys.stdin.read()
for number in range(3):
    told({"event": "train", "step": number})
"""


def test_an_editor_that_is_closed_is_no_failure_of_its_run() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", TELLS], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "nobody reads\n")


@pytest.mark.slow
def test_a_run_that_nobody_reads_any_more_saves_and_stops(
    repository: Path, tiny_model_dir: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "diffusion", "train", str(repository), "--json", "--nice", "0",
         "--threads", "1", "--model", str(tiny_model_dir), "--learning-rate", "0.001",
         "--stdin-control"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    assert json.loads(process.stdout.readline())["event"] == "scanning"
    process.stdout.close()
    assert process.stderr.read() == "", "it ends while its stdin is still open"
    process.communicate()
    assert process.returncode == 0
    assert run_state(home_of(repository).run)["state"] == "stopped"


def test_a_signal_stops_the_run_and_the_next_one_the_process(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)):
        control = Control(tmp_path)
        with stopped_by_signals(lambda told=control: told.tell(STOP), "stopping"):
            assert control.now() == RUN
            signal.raise_signal(first)
            assert control.now() == STOP and "stopping" in capfd.readouterr().err
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(second)
    assert signal.getsignal(signal.SIGINT) == before
