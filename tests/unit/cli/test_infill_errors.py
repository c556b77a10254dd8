"""`diffill infill` with input it cannot use: one line on stderr, exit status 2, JSON if asked."""

from __future__ import annotations

import json
import os
import sys
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
        (("--at", "2:11", "--length", "1" * 4301), "from 1 to 128"),
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


@pytest.mark.parametrize(
    "words",
    [
        ("infill", "--at", "1:0"), ("rewrite", "--from", "1:0", "--to", "1:1"), ("score",),
        ("fill", "--hole", "1:0-1:1"), ("bridge", "--at", "1:0"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_is_told_in_both_forms(
    program: Path, words: tuple[str, ...]
) -> None:
    model = "m" * 300  # longer than a name may be
    asked = [words[0], str(program), *words[1:], "--model", model, "--json"]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 2 and answer.stderr.count("\n") == 1
    assert answer.stderr == f"error: {json.loads(answer.stdout)['error']}\n"
    assert model in answer.stderr and "File name too long" in answer.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a name cannot be")
@pytest.mark.parametrize("odd", ["as the file", "as one too many"])
def test_a_name_that_is_no_utf_8_makes_no_json_that_strict_readers_refuse(odd: str) -> None:
    """Most of them refuse a whole document for one lone surrogate."""
    name = os.fsdecode(b"/nowhere/\xff-\xc3.py")
    words = [name] if odd == "as the file" else [str(Path(__file__)), name]
    answer = _run(*words, "--at", "1:0", "--json")
    assert answer.exit_code == 2
    assert "/nowhere/\ufffd-\ufffd.py" in json.loads(answer.stdout)["error"]


def test_a_repository_with_too_long_a_name_is_none(program: Path) -> None:
    answer = _run(program, "--at", "1:0", "--json", "--repository", "r" * 300)
    assert answer.exit_code == 2 and "rrr is no folder" in json.loads(answer.stdout)["error"]


def test_a_link_out_of_the_repository_is_named_with_where_it_leads(
    program: Path, tmp_path: Path
) -> None:
    link = tmp_path / "repo" / "sub" / "link.py"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../program.py")
    answer = _run(link, "--at", "1:0", "--repository", tmp_path / "repo")
    assert answer.exit_code == 2
    assert f"{link} leads to {program}, which does not lie in {tmp_path / 'repo'}" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("infill", "--at", "1:0"), ("rewrite", "--from", "1:0", "--to", "1:1"), ("score",),
        ("fill", "--hole", "1:0-1:1"), ("bridge", "--at", "1:0"),
    ],
)  # fmt: skip
def test_what_holds_secrets_is_left_alone(tmp_path: Path, words: tuple[str, ...]) -> None:
    secret, link = tmp_path / ".env", tmp_path / "settings.py"
    secret.write_text("TOKEN = 1\n")
    link.symlink_to(secret)
    for file in (secret, link):
        asked = [words[0], str(file), *words[1:], "--language", "python", "--json"]
        answer = CliRunner().invoke(app, asked)
        assert answer.exit_code == 2
        said = json.loads(answer.stdout)["error"]
        assert f"{file} is left alone: by its name it holds secrets (*.env)" in said


def test_a_home_that_nobody_has_is_told_with_the_variable(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFILL_MODEL", "~nobody-of-that-name/model")
    answer = _run(program, "--at", "2:11", "--json")
    assert answer.exit_code == 2 and answer.stderr.count("\n") == 1
    said = json.loads(answer.stdout)["error"]
    assert "DIFFILL_MODEL ~nobody-of-that-name/model cannot be looked for" in said


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
