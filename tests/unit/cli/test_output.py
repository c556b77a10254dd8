"""No room for output, nobody who reads it, a module that is missing: no traceback.

In a process of its own each, as a user has it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from diffusion.cli import TRAIN_MODULES

FULL = Path("/dev/full")
ROOT = Path(__file__).parents[3]


def run(
    *words: str, stdout: Any, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """A command whose stdout is buffered, as it is for users."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-m", "diffusion", *words], env={**kept, **(env or {})}, cwd=cwd,
        stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["train", "--help"], ["train", "status"]]
)
def test_no_room_for_the_output_is_one_line(words: list[str]) -> None:
    with FULL.open("w") as full:
        ended = run(*words, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: cannot read or write the output (No space left")


@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way there")
@pytest.mark.parametrize("words", [["--help"], ["train", "status"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(
    words: list[str], unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run(*words, stdout=writer, env={"PYTHONUNBUFFERED": unbuffered})
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")


@pytest.mark.skipif(os.name == "nt", reason="no shell there closes stdout")
@pytest.mark.parametrize("command", ["infill README.md --at 1:0 --json", "train status", "demo"])
def test_who_can_answer_nobody_says_so_at_once(command: str) -> None:
    line = f'exec "{sys.executable}" -m diffusion {command} >&-'
    words = ["sh", "-c", line]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    said = "error: stdout is closed; leave it open, or send it to a file\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", said)


@pytest.mark.skipif(os.name == "nt", reason="no folder that somebody is in can be removed there")
@pytest.mark.parametrize("command", ["train status", "adapters list"])
def test_a_current_folder_that_is_gone_is_told_in_both_forms(tmp_path: Path, command: str) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    line = f'rmdir "{gone}" && exec "{sys.executable}" -m diffusion {command} --json'
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        ["sh", "-c", line], env=env, cwd=gone, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr == "error: the current folder is gone; change to one that exists\n"
    told = json.loads(ended.stdout)
    assert told.pop("event", "failed") == "failed"
    assert [f"error: {said}\n" for said in told.values()] == [ended.stderr]


@pytest.mark.parametrize(("command", "loaded"), [("--version", "typer"), ("serve", "lsprotocol")])
def test_ctrl_c_while_a_command_is_loaded_is_no_traceback(
    tmp_path: Path, command: str, loaded: str
) -> None:
    """A stub stands for the moment at which it is pressed."""
    (tmp_path / f"{loaded}.py").write_text("raise KeyboardInterrupt\n")
    ended = subprocess.run(
        [sys.executable, "-c", "from lsp_server.app import main; main()", command], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """`make demo` installs what serving needs; a stub stands for what it leaves out."""
    stub = "raise ModuleNotFoundError('No module named datasketch', name='datasketch')\n"
    (tmp_path / "datasketch.py").write_text(stub)
    paths = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    ended = run("corpus", "report", stdout=subprocess.DEVNULL, env=paths, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: this command needs datasketch, which is not installed")
    assert "pip install 'diffill[train]'" in ended.stderr


def test_the_modules_of_the_extra_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = {re.split("[>=<]", line)[0] for line in project["optional-dependencies"]["train"]}
    assert {name.replace("-", "_") for name in names} == TRAIN_MODULES
