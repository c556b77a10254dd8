"""`diffill infill` and `diffill demo` on a tiny random model: the forms of their answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion.demo.holes import load_holes
from diffusion.infill import Candidate, Infiller, InfillRequest, InfillResult, TokenScore
from diffusion.infill_cli import _show, as_document, language_of, lines_of
from diffusion.text.hole import Hole
from lsp_server.commands import app

PROGRAM = "def größe(liste):\n    return \n\n\nprint(größe([1]))\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_bytes(PROGRAM.encode())
    return file


def test_the_document_has_the_promised_keys_and_no_reason_when_there_are_candidates() -> None:
    tokens = (TokenScore("a", 0.9), TokenScore(" + b", 0.8))
    candidate = Candidate("a + b", 0.87654321, tokens, True, 4)
    result = InfillResult((candidate,), Hole(7, 7, "expression"), 12.3456, 3, True)
    assert as_document(result) == {
        "candidates": [
            {
                "text": "a + b",
                "score": 0.8765,
                "tokens": [{"text": "a", "p": 0.9}, {"text": " + b", "p": 0.8}],
                "parses": True,
            }
        ],
        "hole": {"start": 7, "end": 7, "kind": "expression"},
        "ms": 12.3,
        "steps": 3,
        "context_cached": True,
    }


def test_no_candidate_comes_with_the_reason() -> None:
    result = InfillResult((), Hole(7, 7, "expression"), 1.0, 0, False, "too short")
    assert as_document(result)["reason"] == "too short"
    assert as_document(result)["candidates"] == []


def test_json_is_one_document_and_the_hole_counts_bytes(
    program: Path, tiny_model_dir: Path
) -> None:
    words = ["infill", str(program), "--at", "2:11", "--json", "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, [*words, "--length", "4", "--alternatives", "1"])
    assert answer.exit_code == 0, answer.output
    document = json.loads(answer.stdout)
    assert document["hole"]["start"] == len("def größe(liste):\n    return ".encode())
    assert set(document) - {"reason"} == {
        "candidates",
        "hole",
        "ms",
        "steps",
        "context_cached",
    }
    assert len(document["candidates"]) <= 1
    assert bool(document["candidates"]) != ("reason" in document)
    for candidate in document["candidates"]:
        assert set(candidate) == {"text", "score", "tokens", "parses"}
        assert all(0.0 <= token["p"] <= 1.0 for token in candidate["tokens"])
    assert program.read_bytes() == PROGRAM.encode()


def test_without_json_the_line_is_shown_with_the_answer(
    program: Path, tiny_model_dir: Path
) -> None:
    words = ["infill", str(program), "--at", "2:11", "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, [*words, "--length", "4"])
    assert answer.exit_code == 0, answer.output
    assert "return " in answer.stdout or "nothing to offer" in answer.stdout
    assert "\x1b" not in answer.stdout


FOUND = Candidate("b\n  c", 0.5, (TokenScore("b", 0.91), TokenScore("\n  c", 0.25)), True, 4)


@pytest.mark.parametrize("colours", [True, False])
def test_how_sure_the_model_is_has_colours_and_a_legend_or_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], colours: bool
) -> None:
    """On a terminal, with NO_COLOR or without."""
    for name, value in (("TERM", "xterm-256color"), ("FORCE_COLOR", "1"), ("NO_COLOR", "1")):
        monkeypatch.setenv(name, value)
    if colours:
        monkeypatch.delenv("NO_COLOR")
    _show(b"a = \n", InfillResult((FOUND,), Hole(4, 4, "expression"), 1.0, 3, False))
    out = capsys.readouterr().out
    assert "\x1b[1m1. score" in out, "a terminal"
    assert ("confidence " in out, "   sure: b 91%  \u23cec 25%\n" in out) == (colours, not colours)


def test_of_a_minified_line_what_is_near_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    left, right = "é" * 300_000 + "L" * 80, "R" * 80 + "ü" * 300_000
    data = f"{left}{right}\n".encode()
    at = len(left.encode())
    _show(data, InfillResult((FOUND,), Hole(at, at, "expression"), 1.0, 3, False))
    out = capsys.readouterr().out
    assert f"\n\u2026{'L' * 80}b\n  c{'R' * 80}\u2026\n" in out and len(out) < 400


def test_the_line_of_a_crlf_file_is_shown_without_its_line_end(
    program: Path, tiny_model_dir: Path
) -> None:
    program.write_bytes(b"a = b\r\nprint(a, b)\r\n")
    words = ["infill", str(program), "--at", "2:6", "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, [*words, "--length", "1"])
    assert answer.exit_code == 0, answer.output
    assert ")\n" in answer.stdout and ")\ufffd" not in answer.stdout


def test_an_unknown_language_is_noted_and_read_as_text(program: Path, tiny_model_dir: Path) -> None:
    words = ["infill", str(program), "--at", "2:11", "--json", "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, [*words, "--length", "2", "--language", "klingon"])
    assert answer.exit_code == 0, answer.output
    assert "unknown language 'klingon'" in answer.stderr
    json.loads(answer.stdout)


def test_a_truncated_model_is_named(program: Path, tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    for file in tiny_model_dir.iterdir():
        data = file.read_bytes()
        cut = file.name == "model.safetensors"
        (folder / file.name).write_bytes(data[: len(data) // 2] if cut else data)
    words = ["infill", str(program), "--at", "2:11", "--json", "--model", str(folder)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2, answer.output
    assert "model.safetensors" in json.loads(answer.stdout)["error"]
    assert answer.stderr.count("\n") == 1


@pytest.mark.slow  # a random model never ends a hole, so it takes every step there is
def test_the_demo_runs_into_a_pipe(tiny_model_dir: Path) -> None:
    words = ["demo", "--limit", "1", "--model", str(tiny_model_dir)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.output
    assert "\x1b" not in answer.stdout
    assert "[1/1]" in answer.stdout
    assert "of 1 exactly as written" in answer.stdout


def test_a_repository_is_quoted_from(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[InfillRequest] = []

    def infill(self: Infiller, request: InfillRequest) -> InfillResult:
        asked.append(request)
        return InfillResult((), Hole(0, 0, "expression"), 1.0, 0, False)

    monkeypatch.setattr(Infiller, "infill", infill)
    for name in ("pkg/a.py", "b.py", ".env.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"name = {name!r}\n")
    words = ["infill", str(tmp_path / "pkg" / "a.py"), "--at", "1:0", "--model"]
    for more in ([], ["--repository", str(tmp_path)]):
        answer = CliRunner().invoke(app, [*words, str(tiny_model_dir), *more])
        assert answer.exit_code == 0, answer.output
    assert asked[0].repository is None
    index = asked[1].repository
    assert index is not None
    assert index.excerpts(b"name = ", 7, 7) == (b"name = 'b.py'\n",)


@pytest.mark.parametrize(
    ("name", "asked", "language"),
    [
        ("app.tsx", None, "tsx"), ("app.ts", None, "typescript"), ("app.py", "tsx", "tsx"),
        ("app.py", "typescriptreact", "tsx"), ("run", None, "python"), ("a.txt", None, "text"),
    ],
)  # fmt: skip
def test_a_file_is_read_with_the_grammar_of_its_name(
    name: str, asked: str | None, language: str
) -> None:
    assert language_of(Path(name), b"#!/usr/bin/env python3\n", asked) == language


def test_other_files_count_in_the_language_of_the_grammar(tmp_path: Path) -> None:
    (tmp_path / "other.ts").write_text("const total = items.reduce(sum, 0);\n")
    file = tmp_path / "app.tsx"
    file.write_text("const a = 1;\n")
    assert lines_of(tmp_path, file, "tsx")


def test_the_examples_are_read_with_the_grammar_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "app.tsx").write_text("const a = <p>one</p>;\n")
    entry = {"file": "app.tsx", "line": 1, "column": 10, "length": 1, "removes": "<"}
    (tmp_path / "holes.json").write_text(json.dumps({"holes": [entry]}))
    assert [hole.language for hole in load_holes(tmp_path)] == ["tsx"]
