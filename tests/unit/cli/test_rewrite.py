"""`diffill rewrite` on a tiny random model: its two forms, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffusion import rewrite_cli
from diffusion.rewriting import Rewrite, RewriteResult
from lsp_server.commands import app

PROGRAM = "def f(x):\n    é = x + 1\n    return é\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_bytes(PROGRAM.encode())
    return file


def run(program: Path, *words: str) -> tuple[int, str, str]:
    answer = CliRunner().invoke(app, ["rewrite", str(program), *words])
    return answer.exit_code, answer.stdout, answer.stderr


def test_json_is_one_document_and_offsets_count_bytes(program: Path, tiny_model_dir: Path) -> None:
    words = ("--from", "2:8", "--to", "2:13", "--json", "--model", str(tiny_model_dir))
    code, out, _ = run(program, *words, "--strength", "1", "--alternatives", "2")
    assert code == 0
    document = json.loads(out)
    start = len("def f(x):\n    é = ".encode())
    assert document["selection"] == {"start": start, "end": start + 5}
    assert 0 < len(document["rewrites"]) <= 2
    for found in document["rewrites"]:
        assert set(found) == {"text", "score", "changed", "parses"}
    assert program.read_bytes() == PROGRAM.encode()


def test_people_get_a_diff(program: Path, tiny_model_dir: Path) -> None:
    words = ("--from", "2:8", "--to", "2:13", "--model", str(tiny_model_dir))
    code, out, _ = run(program, *words)
    assert code == 0
    assert "-    é = x + 1" in out and "+    é = " in out
    assert "tokens masked" in out


def test_the_diff_in_a_pipe_has_the_tabs_of_the_file(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.write_bytes(b"if x {\n\ty\t= 1\n}\n")
    rewrites = (Rewrite("2", 0.5, 1.0, True), Rewrite("3", 0.4, 1.0, True))
    found = RewriteResult(rewrites, 1, 1.0, 1)
    monkeypatch.setattr(rewrite_cli, "_run", lambda *_: found)
    code, out, _ = run(program, "--from", "2:5", "--to", "2:6")
    assert code == 0
    assert "--- program.py\n+++ program.py\trewritten\n" in out
    assert " if x {\n-\ty\t= 1\n+\ty\t= 2\n }\n" in out
    assert "# -\ty\t= 1\n# +\ty\t= 3\n#  }\n" in out, "patch makes the first"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2:9", "--to", "2:3"), "give the earlier place first"),
        (("--from", "2:9", "--to", "99:0"), "lines run from 1 to 4"),
        (("--from", "2", "--to", "2:9"), "write LINE:COL"),
        (("--from", "2:0", "--to", "2:9", "--strength", "2"), "above 0, at most 1"),
        (("--from", "2:0", "--to", "2:9", "--alternatives", "0"), "1 to 8"),
        (("--from", "2:0", "--to", "2:3"), "the selection is blank"),
        (("--from", "2:4", "--to", "2:9", "--keep", "3:4-3:6"), "keep what is selected"),
        (("--from", "2:4", "--to", "2:9", "--keep", "2:0-2:5"), "--keep 2:0-2:5 does not lie"),
    ],
)
def test_bad_input_is_named_with_the_fix(
    program: Path, tiny_model_dir: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(program, *words, "--json", "--model", str(tiny_model_dir))
    assert code == 2
    assert said in json.loads(out)["error"] and said in err
