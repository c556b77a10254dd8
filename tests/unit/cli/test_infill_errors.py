"""`diffill infill` with input it cannot use: one line on stderr, exit status 2, JSON if asked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lsp_server.commands import app


def _run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["infill", *map(str, words)])


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text("def f(a):\n    return \n")
    return file


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "9:0"), "lines run from 1 to 3"),
        (("--at", "2:99"), "columns run from 0 to 11"),
        (("--at", "2"), "LINE:COL"),
        (("--at", "2:11", "--length", "many"), "--length is 'many'"),
        (("--at", "2:11", "--length", "0"), "from 1 to 128"),
        (("--at", "2:11", "--length", "129"), "from 1 to 128"),
        (("--at", "2:11", "--alternatives", "0"), "from 1 to 8"),
        (("--at", "2:11", "--deadline-ms", "0"), "above 0"),
        (("--at", "2:11", "--deadline-ms", "nan"), "above 0"),
        (("--at", "2:11", "--repository", "no-such-folder"), "no-such-folder is no folder"),
        (("--at", "2:11", "--repository", str(Path(__file__).parent)), "does not lie in"),
    ],
)
def test_a_bad_option_is_named(program: Path, options: tuple[str, ...], said: str) -> None:
    answer = _run(program, *options)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("error: ")
    assert said in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("infill", "FILE"), "'--at'"),
        (("infill", "--at", "1:0"), "'FILE'"),
        (("infill", "FILE", "--at", "1:0", "--alternatives", "x"), "'--alternatives'"),
        (("infill", "FILE", "--at"), "'--at'"),
        (("fill", "FILE", "--wrote"), "--wrote"),
        (("bridge", "FILE"), "'--at'"),
        (("rewrite", "FILE", "--from", "1:0"), "'--to'"),
        (("score", "FILE", "--margin", "little"), "'--margin'"),
    ],
)
def test_options_that_cannot_be_read_are_told_in_both_forms(
    program: Path, words: tuple[str, ...], said: str
) -> None:
    asked = [str(program) if word == "FILE" else word for word in words]
    for more in ([], ["--json"]):
        answer = CliRunner().invoke(app, [asked[0], *more, *asked[1:]])
        assert answer.exit_code == 2
        [line] = answer.stderr.splitlines()
        assert line.startswith("error: ") and said in line and "--help` shows" in line
        told = [json.loads(document)["error"] for document in answer.stdout.splitlines()]
        assert told == ([line.removeprefix("error: ")] if more else [])


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything"
)
def test_a_file_that_may_not_be_read_is_told_with_the_fix(program: Path) -> None:
    program.chmod(0)
    answer = _run(program, "--at", "1:0", "--json")
    assert answer.exit_code == 2
    assert "check its permissions" in json.loads(answer.stdout)["error"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no file"),
        (b"\0", "binary"),
        (b"\xff", "not UTF-8"),
        (b"#" * 6_000_000, "6.0 MB"),
    ],
    ids=["missing", "NUL", "not UTF-8", "too long"],
)
def test_a_bad_file_is_named_in_both_forms(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    file = tmp_path / "bad.py"
    if content is not None:
        file.write_bytes(content)
    answer = _run(file, "--at", "1:0", "--json")
    assert answer.exit_code == 2
    assert said in answer.stderr
    [line] = answer.stdout.splitlines()
    assert said in json.loads(line)["error"]
    assert str(file) in json.loads(line)["error"]


@pytest.mark.parametrize("make", ["missing", "empty", "a file"])
def test_a_bad_model_folder_is_named(program: Path, tmp_path: Path, make: str) -> None:
    folder = tmp_path / "model"
    if make == "empty":
        folder.mkdir()
    elif make == "a file":
        folder.write_bytes(b"")
    answer = _run(program, "--at", "2:11", "--json", "--model", folder)
    assert answer.exit_code == 2, answer.output
    assert str(folder) in json.loads(answer.stdout)["error"]
    assert answer.stderr.count("\n") == 1
