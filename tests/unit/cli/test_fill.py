"""`diffill fill` and `diffill bridge` on a tiny random model: their forms, and what they refuse."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from diffusion import fill_cli
from diffusion.filling import Fill, FillResult
from lsp_server.commands import app
from tests.support.disk import smallest_files

PROGRAM = "é = 1\ndef f(___):\n    return ___ + é\n\n# doubles\nx = 2\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_bytes(PROGRAM.encode())
    return file


def run(command: str, program: Path, *words: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(app, [command, str(program), *words])
    return answer.exit_code, answer.stdout, answer.stderr


def test_markers_are_filled_and_written_when_asked(program: Path, tiny_model_dir: Path) -> None:
    words = ("--json", "--model", str(tiny_model_dir))
    code, out, _ = run("fill", program, *words)
    assert code == 0 and program.read_bytes() == PROGRAM.encode(), "not without --write"
    document = json.loads(out)
    first = len("é = 1\ndef f(".encode())
    assert document["holes"][0] == {"start": first, "end": first + 3}
    [filled] = document["fills"]
    assert set(filled) == {"texts", "score", "parses"} and len(filled["texts"]) == 2
    code, out, _ = run("fill", program, *words, "--write")
    assert code == 0
    one, other = json.loads(out)["fills"][0]["texts"]
    expected = PROGRAM.replace("___", one, 1)
    at = PROGRAM.rindex("___") - 3 + len(one)
    assert program.read_text("utf-8") == expected[:at] + other + expected[at + 3 :]


def test_what_was_saved_meanwhile_is_not_written_over(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(data: bytes, *_: object) -> FillResult:
        program.write_bytes(data + b"# saved by the editor\n")
        return FillResult((Fill(("x", "y"), 0.5, ((), ()), True),), 1.0, 1)

    monkeypatch.setattr(fill_cli, "_answer", answer)
    code, _, said = run("fill", program, "--write")
    assert code == 2 and "has changed meanwhile; run the command again" in said
    assert program.read_bytes() == PROGRAM.encode() + b"# saved by the editor\n"


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> str:
    """What the program becomes, whose holes get an answer without a model."""
    fill = Fill(("x", "y"), 0.5, ((), ()), True)
    monkeypatch.setattr(fill_cli, "_answer", lambda *_: FillResult((fill,), 1.0, 1))
    return PROGRAM.replace("___", "x", 1).replace("___", "y", 1)


def test_the_diff_in_a_pipe_is_one_that_patch_takes(
    program: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Tabs, line ends, form feeds and a last line without an end; whatever the width."""
    data = b"\tx := ___\r\n\x0c\n\ty := \"\xe2\x80\xa8" + b"[red]z" * 40 + b" ___\""
    program.write_bytes(data)
    fills = (Fill(("1", "\t2"), 0.5, ((), ()), True), Fill(("3", "4"), 0.4, ((), ()), True))
    monkeypatch.setattr(fill_cli, "_answer", lambda *_: FillResult(fills, 1.0, 1))
    monkeypatch.setenv("FORCE_COLOR", "1")
    fill_cli.fill(program)
    out = capfdbinary.readouterr().out
    old, new = data.split(b"\n"), data.replace(b"___", b"1", 1).replace(b"___", b"\t2").split(b"\n")
    nothing = b"\\ No newline at end of file"
    assert b"\n".join(
        [b"--- program.py", b"+++ program.py\tfilled", b"@@ -1,3 +1,3 @@", b"-" + old[0],
         b"+" + new[0], b" " + old[1], b"-" + old[2], nothing, b"+" + new[2], nothing, b""]
    ) in out  # fmt: skip
    if (patch := shutil.which("patch")) is not None:
        subprocess.run([patch, "--binary", str(program)], input=out, check=True, timeout=10)
        assert program.read_bytes() == b"\n".join(new)


def test_without_stdout_a_file_is_filled_and_nothing_else(
    program: Path, answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(typer.Exit) as ended:
        fill_cli.fill(program)
    assert ended.value.exit_code == 2
    fill_cli.fill(program, write=True)
    assert program.read_text("utf-8") == answered


class Full(io.StringIO):
    """A file without room."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_no_room_for_the_output_leaves_no_doubt_about_the_file(
    program: Path,
    answered: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OSError, match="No space left"):
        fill_cli.fill(program, write=True)
    assert program.read_text("utf-8") == answered
    assert capsys.readouterr().err == f"{program} has been filled all the same\n"


def test_a_fill_of_some_holes_says_why_not_of_the_others(
    program: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill, why = Fill(("x", "___"), 0.5, ((), ()), True), "1 of 2 holes were filled; for the others"
    monkeypatch.setattr(fill_cli, "_answer", lambda *_: FillResult((fill,), 1.0, 1, reason=why))
    fill_cli.fill(program)
    assert f"\n{why}\n2 holes, " in capsys.readouterr().out
    fill_cli.fill(program, as_json=True)
    assert json.loads(capsys.readouterr().out)["reason"] == why


def test_a_full_disk_takes_nothing_away(program: Path, answered: str) -> None:
    with smallest_files(10):
        code, out, said = run("fill", program, "--write", "--json")
    assert code == 2 and said == f"error: {json.loads(out)['error']}\n"
    assert f"cannot write {program.parent}" in said and "where the text goes first: File" in said
    assert "the folder's permissions" in said
    assert program.read_bytes() == PROGRAM.encode() and [*program.parent.iterdir()] == [program]


def test_what_an_earlier_failure_left_stays(
    program: Path, answered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    own = program.with_name(f".{program.name}.filled")
    own.write_text("keep me")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        code, _, said = run("fill", program, "--write")
    assert code == 2 and "; the text is in " in said
    spare = Path(said.strip().rpartition("the text is in ")[2])
    assert spare.read_text("utf-8") == answered
    program.write_bytes(PROGRAM.encode())
    assert run("fill", program, "--write")[0] == 0
    assert program.read_text("utf-8") == spare.read_text("utf-8") == answered
    assert own.read_text() == "keep me" and {*program.parent.iterdir()} == {program, spare, own}


def test_a_file_with_the_longest_name_is_written(program: Path, answered: str) -> None:
    file = program.rename(program.with_name(f"{'ü' * 126}.py"))
    assert run("fill", file, "--write")[0] == 0
    assert file.read_text("utf-8") == answered and [*file.parent.iterdir()] == [file]


def test_ranges_pins_and_a_diff_for_people(program: Path, tiny_model_dir: Path) -> None:
    words = ("--hole", "3:4-3:16", "--pin", "3:11-3:14", "--model", str(tiny_model_dir))
    code, out, _ = run("fill", program, *words)
    assert code == 0
    assert "-    return ___ + é" in out and "\n1 hole, " in out
    assert any(line.startswith("+") and "___" in line for line in out.splitlines()), "the pin stays"


def test_a_pin_in_a_marker_is_refused(program: Path) -> None:
    code, _, err = run("fill", program, "--pin", "3:11-3:14")
    assert code == 2 and "lies in a marker" in err


@pytest.mark.parametrize("words", [("bridge", "--at", "4:0"), ("fill", "--comment", "5:3")])
def test_lines_have_the_same_document(
    program: Path, tiny_model_dir: Path, words: tuple[str, ...]
) -> None:
    code, out, _ = run(words[0], program, *words[1:], "--json", "--model", str(tiny_model_dir))
    assert code == 0
    document = json.loads(out)
    assert len(document["holes"]) == 1
    assert document["fills"] or document["reason"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fill", "--hole", "3:4-3:9", "--hole", "3:8-3:10"),
         "--hole 3:8-3:10 of FILE overlaps --hole 3:4-3:9 of FILE"),
        (("fill", "--hole", "3:4-3:9", "--hole", "3:4-3:9"),
         "--hole 3:4-3:9 of FILE overlaps --hole 3:4-3:9 of FILE"),
        (("fill", "--pin", "1:0-1:1"), "--pin 1:0-1:1 of FILE lies in no hole"),
        (("fill", "--hole", "99:0-99:1"), "line 99 lies outside FILE"),
        (("fill", "--pin", "1:0-1:77"), "column 77 lies outside line 1 of FILE"),
        (("fill", "--comment", "99:0"), "line 99 lies outside FILE"),
        (("rewrite", "--from", "1:0", "--to", "1:5", "--keep", "1:0-99:1"),
         "line 99 lies outside FILE"),
    ],
)  # fmt: skip
def test_places_are_told_in_the_words_that_were_given(
    program: Path, words: tuple[str, ...], said: str
) -> None:
    code, _, err = run(words[0], program, *words[1:])
    assert code == 2 and err.startswith("error: " + said.replace("FILE", str(program)) + "; ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fill", "--marker", "%%"), "holds no %%"),
        (("fill", "--marker", " "), "marker is blank"),
        (("fill", "--hole", "3:4"), "write L:C-L:C"),
        (("fill", "--hole", "3:9-3:4"), "ends before it begins"),
        (("fill", "--hole", "3:4-99:0"), "lines run from 1 to 7"),
        (("fill", "--pin", "1:0-1:1"), "lies in no hole"),
        (("fill", "--comment", "1:0"), "no comment or docstring"),
        (("fill", "--comment", "5:0", "--pin", "1:0-1:1"), "one or the other"),
        (("fill", "--hole", "3:4-3:16", "--marker", "XYZ"), "--marker was given with --hole or"),
        (("fill", "--comment", "5:3", "--marker", "___"), "give one or the other"),
        (("fill", "--alternatives", "0"), "1 to 8"),
        (("bridge", "--at", "9:0"), "lines run from 1 to 7"),
        (("bridge", "--at", "4:0", "--repository", "nowhere"), "nowhere is no folder"),
    ],
)
def test_bad_input_is_named_with_the_fix(program: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = run(words[0], program, *words[1:], "--json")
    assert code == 2
    assert said in json.loads(out)["error"] and said in err
