"""Lines between blocks and bodies from comments: where the hole is, and what stays."""

from __future__ import annotations

import time

import pytest

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.line_tasks import LineTask, bridge_task, comment_task
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import read_drawn


def from_comment(text: str, language: str = "python") -> tuple[LineTask, bytes]:
    drawn = read_drawn(text)
    assert drawn.cursor is not None
    tree = SyntaxTree.parse(drawn.data, language)
    return comment_task(tree, drawn.data, drawn.cursor), drawn.data


def with_fill(task: LineTask, data: bytes, fill: str) -> str:
    """The document after the edit; the model's own view must agree with it."""
    edited = data[: task.start] + (task.before + fill + task.after).encode() + data[task.end :]
    seen = task.text[: task.hole[0]] + fill.encode() + task.text[task.hole[1] :]
    assert edited == seen
    return edited.decode()


@pytest.mark.parametrize(
    ("text", "language", "after"),
    [
        ('def f():\n    """Ad‸d."""\n    pass\n', "python", 'def f():\n    """Add."""\n    X\n'),
        ('def f():\n    """Ad‸d."""\n\n    ...\n', "python", 'def f():\n    """Add."""\n\n    X\n'),
        ("‸# doubles\n# it\ndef f(x):\n    ___\n", "python", "# doubles\n# it\ndef f(x):\n    X\n"),
        ("# a‸bc\n\ndef g():\n    return 1\n", "python", "# abc\nX\n\ndef g():\n    return 1\n"),
        ("x = 1  # ‸the\n", "python", "x = 1  # the\nX\n"),
        ("// ad‸ds\nint add(int a) {}\n", "c", "// adds\nint add(int a) {\nX\n}\n"),
        ("// ad‸ds\nfn add(a: u8) {\n    todo!()\n}\n", "rust", None),
        ("// ad‸ds\r\nlet a = 1;\r\n", "javascript", "// adds\r\nX\r\nlet a = 1;\r\n"),
    ],
)  # fmt: skip
def test_the_body_that_a_comment_asks_for(text: str, language: str, after: str | None) -> None:
    task, data = from_comment(text, language)
    assert task.code
    done = with_fill(task, data, "X")
    comment = next(
        line for line in data.splitlines() if b"//" in line or b"#" in line or b'"' in line
    )
    assert comment in done.encode(), "the comment stays"
    if after is not None:
        assert done == after


@pytest.mark.parametrize("language", [*languages.NAMES, languages.TEXT])
def test_no_line_end_is_torn_apart(language: str) -> None:
    mark = "#" if language in ("python", languages.TEXT) else "//"
    task, data = from_comment(f"{mark} ad‸ds\r\n\r\n{mark} more\r\n", language)
    done = with_fill(task, data, "X")
    assert done == f"{mark} adds\r\nX\r\n\r\n{mark} more\r\n"


@pytest.mark.parametrize("text", ["x‸ = 1\n", "s = 'no co‸mment'\n", "‸"])
def test_where_there_is_no_comment_it_says_so(text: str) -> None:
    with pytest.raises(HoleError, match="no comment or docstring"):
        from_comment(text)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("a\n‸\nb\n", "a\nX\nb\n"),
        ("a\n  ‸  \nb\n", "a\nX\nb\n"),
        ("a\n‸b\n", "a\nX\nb\n"),
        ("a‸\nb\n", "a\nX\nb\n"),
        ("a\n  ‸b\n", "a\nX\n  b\n"),
        ("a\r\nb‸c\r\nd\r\n", "a\r\nbc\r\nX\r\nd\r\n"),
        ("‸", "X"),
        ("\ufeff‸a\n", "\ufeffX\na\n"),
        ("\ufeff‸\na\n", "\ufeffX\na\n"),
    ],
)
def test_lines_between_blocks(text: str, after: str) -> None:
    drawn = read_drawn(text)
    assert drawn.cursor is not None
    assert with_fill(bridge_task(drawn.data, drawn.cursor), drawn.data, "X") == after


def test_a_line_of_data_below_a_comment_takes_no_minutes() -> None:
    data = b"# the table\nTABLE = '" + b"QUJD" * 50_000 + b"'\n"
    begun_s = time.perf_counter()
    task = comment_task(SyntaxTree.parse(data, "python"), data, 3)
    assert time.perf_counter() - begun_s < 5 and task.start == data.index(b"\n")


def test_a_place_outside_is_refused() -> None:
    with pytest.raises(HoleError, match="outside the document"):
        bridge_task(b"abc", 4)
    with pytest.raises(HoleError, match="outside the document"):
        comment_task(SyntaxTree.parse(b"abc", "python"), b"abc", 4)
