"""Output that nobody takes, or for which there is no room: no traceback, in a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


def run(*words: str, **streams: object) -> subprocess.CompletedProcess[str]:
    """A command with a buffered stdout, as users have it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-m", "diffusion", *words],
        stderr=subprocess.PIPE, text=True, env=env, check=False, **streams,
    )  # fmt: skip


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [["--version"], ["--help"], ["train", "--help"]])
def test_no_room_for_the_output_is_one_line(words: list[str]) -> None:
    with FULL.open("w") as full:
        ended = run(*words, stdout=full)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("error: cannot read or write the output (No space left")


@pytest.mark.skipif(os.name == "nt", reason="pipes end in another way there")
def test_a_reader_that_goes_away_is_no_error_to_talk_about() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = run("--help", stdout=writer)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (1, "")
