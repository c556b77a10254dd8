"""`diffill infill` on bad input, with a tiny model: an error in one line, or a sound answer.

tests/e2e/test_real_engine.py asks the server the same.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from lsp_server.commands import app

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
FIVE_MEGABYTES = b"x = 'aaaaaaaaaaaaaaaaaaaaaaaaa'\n" * (5_000_000 // 32)


def infill(file: Path, at: str, model: Path, *options: str) -> Result:
    words = ["infill", str(file), "--at", at, "--model", str(model), "--json", *options]
    return CliRunner().invoke(app, words)


def error_of(answer: Result) -> str:
    """The error: the same on stderr, in one line, as in the document."""
    assert answer.exit_code == 2, answer.output
    error: str = json.loads(answer.stdout)["error"]
    assert answer.stderr == f"error: {error}\n"
    return error


def document_of(answer: Result) -> dict[str, Any]:
    """The answer: candidates, or the reason why there are none."""
    assert answer.exit_code == 0, answer.output
    document: dict[str, Any] = json.loads(answer.stdout)
    assert bool(document["candidates"]) != ("reason" in document)
    return document


@pytest.mark.parametrize(
    ("name", "content", "at", "said"),
    [
        ("picture.py", PNG, "1:0", "is binary (NUL byte at offset 8)"),
        ("nul.py", b"x = '\0'\n", "1:4", "is binary (NUL byte at offset 5)"),
        ("latin.py", b"# caf\xe9\n", "1:0", "is not UTF-8 (byte 0xe9 at offset 5)"),
        ("half.py", b"s = '\xed\xa0\xbd'\n", "1:4", "has a lone surrogate at offset 5"),
        ("large.py", FIVE_MEGABYTES * 2, "1:4", "has 10.0 MB"),
        ("below.py", b"x = \r\n", "3:0", "lines run from 1 to 2"),
        ("right.py", b"x = \r\n", "1:5", "its columns run from 0 to 4"),
    ],
)
def test_what_cannot_be_filled_is_an_error_that_names_it(
    tmp_path: Path, tiny_model_dir: Path, name: str, content: bytes, at: str, said: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    error = error_of(infill(file, at, tiny_model_dir))
    assert said in error and str(file) in error


@pytest.mark.parametrize(
    ("name", "content", "at", "start"),
    [
        ("crlf.py", b"if a:\r\n    \r\nb = 1\r\n", "2:4", 11),
        ("return.py", b"x =\ry = 2\r", "2:4", 8),
        ("tabs.py", b"def f(a):\n\tif a:\n        return \n", "3:15", 32),
        ("mark.py", b"\xef\xbb\xbfreturn \n", "1:7", 10),
        ("empty.py", b"", "1:0", 0),
        ("unknown.xyz", b"once upon a \n", "1:12", 12),
        ("five.py", FIVE_MEGABYTES, "9:4", 8 * 32 + 4),
    ],
)
def test_unusual_text_is_answered(
    tmp_path: Path, tiny_model_dir: Path, name: str, content: bytes, at: str, start: int
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    document = document_of(infill(file, at, tiny_model_dir, "--length", "2"))
    hole = document["hole"]
    assert hole["start"] == start <= hole["end"] <= len(content)
    for candidate in document["candidates"]:
        assert "\n" not in candidate["text"].replace("\r\n", "") or b"\r\n" not in content


@pytest.mark.parametrize("damage", ["missing", "truncated", "empty"])
@pytest.mark.parametrize("part", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_damaged_model_is_an_error_that_names_the_file(
    tmp_path: Path, tiny_model_dir: Path, part: str, damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    damaged = folder / part
    if damage == "missing":
        damaged.unlink()
    else:
        content = damaged.read_bytes()
        damaged.write_bytes(content[: len(content) // 2] if damage == "truncated" else b"")
    file = tmp_path / "a.py"
    file.write_text("x = \n")
    assert str(damaged) in error_of(infill(file, "1:4", folder))


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_that_lacks_the_characters_is_no_failure(
    tmp_path: Path, tiny_model_dir: Path, options: list[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("größe = '漢'; x = \n", encoding="utf-8")
    words = ["infill", str(file), "--at", "1:17", "--model", str(tiny_model_dir), "--length", "2"]
    answer = CliRunner(charset="ascii").invoke(app, [*words, *options])
    assert answer.exit_code == 0, answer.output
    assert answer.stdout_bytes and answer.stdout_bytes.isascii()
