"""Starting a run that outlives its shell, and asking how it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.alive import is_alive
from diffusion.errors import TrainingError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.daemon import LOG, PID, command_line, environment, start
from diffusion.train.folder_lock import held
from diffusion.train.pretrain_cli import app, without_launch
from diffusion.train.run_log import RunLog, read_status
from tests.unit.train.corpora import write_corpus

ROOT = Path(__file__).resolve().parents[3]
WRITES_ITS_STATUS = """
import json, os, sys
print("started", flush=True)
status = {"event": "stage", "pid": os.getpid(), "session": os.getsid(0), **json.loads(sys.argv[2])}
with open(sys.argv[1] + "/status.part", "w") as file:
    json.dump(status, file)
os.replace(file.name, sys.argv[1] + "/status.json")
sys.exit(status["state"] == "failed")
"""


def started(out: Path, **status: str) -> subprocess.Popen[bytes]:
    """A daemon that does nothing but write this status; it has ended."""
    command = [sys.executable, "-c", WRITES_ITS_STATUS, str(out), json.dumps(status)]
    process = start(command, out, dict(os.environ))
    process.wait()
    return process


def test_a_daemon_has_its_own_session_and_writes_to_its_log(tmp_path: Path) -> None:
    process = started(tmp_path, state="runs", stage="causal")
    pid = process.pid
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["session"] == status["pid"] == pid != os.getsid(0)
    assert (tmp_path / PID).read_text() == str(pid)
    assert (tmp_path / LOG).read_text() == "started\n"
    assert not read_status(tmp_path)["alive"]


def test_a_run_that_ends_at_once_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('error: no corpus')"]
    with pytest.raises(TrainingError, match="ended at once with status 1: error: no corpus"):
        start(command, tmp_path, dict(os.environ))


def test_a_run_that_fails_at_once_says_why(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the run failed at once: of another seed"):
        started(tmp_path, state="failed", message="of another seed", stage="causal")
    # The next one is under way, though the status of this one is there until it says so.
    assert started(tmp_path, state="done").returncode == 0


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        held(tmp_path),
        pytest.raises(TrainingError, match=rf"at work in .* \(process {os.getpid()}\); see"),
    ):
        start([sys.executable, "-c", ""], tmp_path, {})


@pytest.mark.parametrize("left", [str(os.getpid()), ""])
def test_what_an_old_daemon_left_is_in_nobodys_way(tmp_path: Path, left: str) -> None:
    (tmp_path / PID).write_text(left)
    process = started(tmp_path, state="runs", stage="causal")
    assert (tmp_path / PID).read_text() == str(process.pid)


def test_the_command_is_the_same_without_the_launch() -> None:
    asked = ["diffill", "pretrain", "--processes", "2", "--out", "R", "--daemon", "--seed", "3"]
    assert without_launch(asked) == ["--out", "R", "--seed", "3"]
    assert without_launch(["x", "pretrain", "--processes=2", "--out=R"]) == ["--out=R"]
    assert command_line(["--out", "R"]) == [
        sys.executable, "-P", "-m", "diffusion", "pretrain", "--out", "R",
    ]  # fmt: skip
    assert "--nproc_per_node=2" in command_line([], processes=2)
    assert environment(threads=None, accelerator=False)["ACCELERATE_USE_CPU"] == "true"


def test_status_on_the_command_line(tmp_path: Path) -> None:
    log = RunLog(tmp_path, lambda event: None, enabled=True)
    log.write({"event": "stage", "step": 0, "name": "causal"})
    log.write(
        {"event": "train", "step": 20, "progress": 0.25, "tokens_per_s": 1234.5, "eta_minutes": 3.0}
    )
    answer = CliRunner().invoke(app, ["--status", str(tmp_path)])
    line, document = answer.stdout.splitlines()
    assert line.startswith("runs, stage causal, 25.0 %, 1,234 tokens/s, 3.0 min left, written ")
    assert json.loads(document)["pid"] == os.getpid()
    missing = CliRunner().invoke(app, ["--status", str(tmp_path / "nowhere")])
    assert missing.exit_code == 2 and "name the --out of one" in missing.stderr


def test_corpus_and_out_are_asked_for() -> None:
    answer = CliRunner().invoke(app, ["--minutes", "1"])
    assert answer.exit_code == 2 and "give --corpus and --out" in answer.stderr


@pytest.mark.slow
def test_a_killed_daemon_resumes_where_it_was(tmp_path: Path) -> None:
    tokenizer = Tokenizer.load(bundled_tokenizer_path())
    corpus, out = write_corpus(tmp_path / "corpus", tokenizer), tmp_path / "run"
    arguments = [
        "--corpus", str(corpus), "--out", str(out), "--recipe", "tiny", "--row-tokens", "128",
        "--batch-tokens", "256", "--workers", "0", "--threads", "1", "--sampled-cases", "0",
        "--save-every-minutes", "0", "--export-every-minutes", "0",
    ]  # fmt: skip
    command = [sys.executable, "-m", "tests.unit.train.tiny", "pretrain", *arguments]
    env = {**environment(threads=1, accelerator=False), "PYTHONPATH": str(ROOT)}
    process = start([*command, "--tokens", "100000000"], out, env)
    assert is_alive(process.pid)
    while not list(out.glob("step-*")):
        assert process.poll() is None, (out / LOG).read_text()
        os.sched_yield()
    process.kill()
    process.wait()
    status = read_status(out)
    assert status["state"] == "runs" and not status["alive"]
    seen = max(int(path.name.removeprefix("step-")) for path in out.glob("step-*"))
    state = json.loads((out / f"step-{seen}" / "state.json").read_text())
    budget = str(state["tokens_seen"] + 2_000)
    last = start([*command, "--tokens", budget], out, env)
    assert last.wait() == 0
    assert read_status(out)["state"] == "done"
    events = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    (resumed,) = [e for e in events if e["event"] == "resumed"]
    assert resumed["step"] == seen
    assert (out / "exports").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_daemon_imports_nothing_from_the_folder_that_the_shell_is_in(
    tmp_path: Path, processes: int
) -> None:
    for name in ("diffusion", "torch", "typer"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} was taken from here')")
    done = subprocess.run(
        command_line(["--help"], processes=processes), cwd=tmp_path, capture_output=True,
        text=True, check=False, env=environment(threads=1, accelerator=False),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Usage:") == processes
