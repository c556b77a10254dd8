"""The body that a comment asks for: golden documents, and every placeholder in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.text import languages
from diffusion.text.comments import comment_at
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import Case, read_cases
from tests.support.line_tasks import from_comment, with_fill

CASES = read_cases(Path(__file__).parents[2] / "golden" / "bodies" / "from_comment.txt")
HEADS = {
    "python": "# Adds.‸\ndef add(\n    a,\n):\n    @\n",
    "javascript": "// Adds.‸\nfunction add(a) {\n    @\n}\n",
    "typescript": "// Adds.‸\nexport function add(a: {}): {} {\n    @\n}\n",
    "go": "package a\n\n// Adds.‸\nfunc add(a interface{}) int {\n\t@\n}\n",
    "rust": "/// Adds.‸\n#[inline]\nfn add(a: u8) -> u8 {\n    @\n}\n",
    "java": "class A {\n    // Adds.‸\n    int add(int a) {\n        @\n    }\n}\n",
    "c": "// Adds.‸\nint add(int a)\n{\n    @\n}\n",
    "cpp": "// Adds.‸\ntemplate <typename T>\nint add(T a)\n{\n    @\n}\n",
}
PLACEHOLDERS = (
    "___", "___;", "pass", "...", "todo!()", 'unimplemented!("a (b) {}", c)',
    "raise NotImplementedError", 'raise NotImplementedError(\n        "x"\n    )',
    "throw new UnsupportedOperationException();", 'throw new Error("Not implemented");',
    'panic("TODO: add")', "throw new NotImplementedÜberall();",
)  # fmt: skip
MATRIX = [
    (language, placeholder)
    for language in languages.NAMES
    for placeholder in PLACEHOLDERS
    if language != "python" or ";" not in placeholder
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_body_that_a_comment_asks_for(case: Case, line_end: str) -> None:
    before, after = (f"{text}\n".replace("\n", line_end) for text in case.body.split("\n---\n"))
    task, data = from_comment(before, *case.words)
    assert with_fill(task, data, "X") == after


@pytest.mark.parametrize(("language", "placeholder"), MATRIX)
def test_any_placeholder_in_any_language_is_replaced(language: str, placeholder: str) -> None:
    drawn = HEADS[language]
    task, data = from_comment(drawn.replace("@", placeholder), language)
    assert with_fill(task, data, "X") == drawn.replace("‸", "").replace("@", "X")


@pytest.mark.parametrize("language", languages.NAMES)
def test_a_byte_order_mark_changes_nothing(language: str) -> None:
    heads = {**HEADS, "go": HEADS["go"].removeprefix("package a\n\n"), "java": HEADS["c"]}
    drawn = "\ufeff" + heads[language].replace("@", "pass")
    task, data = from_comment(drawn, language)
    assert with_fill(task, data, "X") == drawn.replace("‸", "").replace("pass", "X")


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_comment_of_the_first_line_is_one_without_a_tree_too(mark: str) -> None:
    data = f"{mark}# add\nadd(a".encode()
    comment = comment_at(SyntaxTree.parse(data, "text"), data, len(mark.encode()) + 3)
    assert data[comment.start : comment.end] == b"# add"


def test_the_end_of_the_file() -> None:
    task, data = from_comment("int a;\n// the end‸", "c")
    assert with_fill(task, data, "X") == "int a;\n// the end\nX"


def test_a_long_row_of_assignments_is_no_deep_search() -> None:
    task, _ = from_comment("// f‸\n" + "a = " * 5000 + "function () {};\n", "javascript")
    assert (task.start, task.before) == (4, "\n")
