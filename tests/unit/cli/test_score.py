"""`diffill score` on a tiny random model: its two forms, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.score_cli import _show
from diffusion.scoring import ScoreResult
from diffusion.suspicion import Alternative, ScoredWord, suspicious
from lsp_server.commands import app

PROGRAM = "def f(x):\n    é = x + 1  # one\n    return é\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_bytes(PROGRAM.encode())
    return file


def run(program: Path, *words: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(app, ["score", str(program), *words])
    return answer.exit_code, answer.stdout, answer.stderr


def test_json_is_one_document_and_offsets_count_bytes(program: Path, tiny_model_dir: Path) -> None:
    code, out, _ = run(program, "--json", "--margin", "0", "--model", str(tiny_model_dir))
    assert code == 0
    document = json.loads(out)
    data = PROGRAM.encode()
    assert document["complete"] is True and document["end"] == len(data)
    assert [w["text"] for w in document["words"]][:3] == ["def", "f", "("]
    for word in document["words"]:
        assert data[word["start"] : word["end"]].decode() == word["text"]
        assert set(word) == {"start", "end", "text", "p", "alternatives"}
    assert all(0 <= i < len(document["words"]) for i in document["suspicious"])
    assert program.read_bytes() == data


def test_people_get_lines_and_a_total(program: Path, tiny_model_dir: Path) -> None:
    code, out, _ = run(program, "--margin", "0", "--code-only", "--model", str(tiny_model_dir))
    assert code == 0
    assert "words scored" in out and "suspicious" in out


def test_of_a_minified_line_what_is_near_a_word_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = b"(" * 100_000 + b"word" + b")" * 100_000
    word = ScoredWord(100_000, 100_004, "word", 0.01, (Alternative("verb", 0.9),))
    _show(data, ScoreResult((word,), len(data), 9, 1.0), suspicious((word,), 0.5, 9))
    out = capsys.readouterr().out
    assert f"    \u2026{'(' * 80}word{')' * 80}\u2026\n" in out and len(out) < 400


@pytest.mark.parametrize("tokens", [2, 5, 7, 150])
def test_no_more_tokens_are_looked_at_than_asked_for(
    program: Path, tiny_model_dir: Path, tokens: int
) -> None:
    program.write_bytes(PROGRAM.encode() * 20)
    options = ("--json", "--max-tokens", str(tokens), "--model", str(tiny_model_dir))
    code, out, _ = run(program, *options)
    document = json.loads(out)
    assert code == 0 and document["complete"] is False and document["words"]
    assert tokens - 5 < document["tokens"] <= tokens
    assert all(word["end"] <= document["end"] for word in document["words"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--margin", "2"), "from 0 to 1"),
        (("--max-tokens", "0"), "from 1 to"),
        (("--model", "/nowhere"), "/nowhere"),
    ],
)
def test_bad_input_is_named_with_the_fix(program: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = run(program, *words, "--json")
    assert code == 2
    assert said in json.loads(out)["error"] and said in err
