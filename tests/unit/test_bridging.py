"""What becomes of the texts that were found for a task: which are told, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diffusion.bridging import carry_out
from diffusion.filling import Fill, FillRequest, FillResult
from diffusion.infill import Infiller
from diffusion.text.line_tasks import comment_task
from diffusion.text.syntax import SyntaxTree

Told = Callable[..., list[str]]


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


@pytest.fixture
def told(infiller: Infiller, monkeypatch: pytest.MonkeyPatch) -> Told:
    """The texts that `carry_out` tells when these are found; those with an ERROR do not parse."""

    def tell(data: bytes, language: str, *found: str) -> list[str]:
        fills = tuple(Fill((text,), 0.5, ((),), "ERROR" not in text) for text in found)
        result = FillResult(fills, 1.0, 1)
        monkeypatch.setattr("diffusion.bridging.fill", lambda *_, **__: result)
        task = comment_task(SyntaxTree.parse(data, language), data, 0)
        asked = FillRequest(data, (), language, alternatives=8)
        return [fill.texts[0] for fill in carry_out(infiller, task, asked).fills]

    return tell


def test_what_parses_comes_first_and_keeps_its_order(told: Told) -> None:
    data = b"# adds\ndef add(a, b):\n    pass\n"
    found = told(data, "python", "ERROR 1", "return b", "ERROR 2", "return a")
    assert found == ["return b", "return a", "ERROR 1", "ERROR 2"]


@pytest.mark.parametrize(
    ("language", "code", "none"),
    [
        ("python", "a @ b", "# more"),
        ("javascript", "#add(a) {}", "// more"),
        ("typescript", "#added = 1;", "* more"),
        ("rust", "#[inline]", "/* more */"),
        ("c", "*p = 3;", "*/"),
        ("cpp", "#pragma once", "// more"),
        ("go", "*p = 3", "// more"),
        ("java", "a();", "* more"),
    ],
)
def test_a_text_of_comments_in_the_language_is_no_body(
    told: Told, language: str, code: str, none: str
) -> None:
    mark = b"# adds" if language == "python" else b"// adds"
    assert told(mark + b"\n", language, none, code) == ["\n" + code]
