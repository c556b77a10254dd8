"""Lines between blocks and bodies from comments: where the hole is, and what stays."""

from __future__ import annotations

import time

import pytest

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.line_tasks import bridge_task, comment_task
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import read_drawn
from tests.support.line_tasks import from_comment, with_fill


@pytest.mark.parametrize(
    ("text", "language", "after"),
    [
        ('def f():\n    """Ad‸d."""\n    pass\n', "python", 'def f():\n    """Add."""\n    X\n'),
        ('def f():\n    """Ad‸d."""\n\n    ...\n', "python", 'def f():\n    """Add."""\n\n    X\n'),
        ("‸# doubles\n# it\ndef f(x):\n    ___\n", "python", "# doubles\n# it\ndef f(x):\n    X\n"),
        ("# a‸bc\n\ndef g():\n    return 1\n", "python", "# abc\nX\n\ndef g():\n    return 1\n"),
        ("x = 1  # ‸the\n", "python", "x = 1  # the\nX\n"),
        ("// ad‸ds\nint add(int a) {}\n", "c", "// adds\nint add(int a) {\nX\n}\n"),
        ("// ad‸ds\nfn add(a: u8) {\n  todo!()\n}\n", "rust", "// adds\nfn add(a: u8) {\n  X\n}\n"),
        ("// ad‸ds\r\nlet a = 1;\r\n", "javascript", "// adds\r\nX\r\nlet a = 1;\r\n"),
    ],
)  # fmt: skip
def test_the_body_that_a_comment_asks_for(text: str, language: str, after: str) -> None:
    task, data = from_comment(text, language)
    assert task.code
    assert with_fill(task, data, "X") == after


@pytest.mark.parametrize("language", [*languages.NAMES, languages.TEXT])
def test_no_line_end_is_torn_apart(language: str) -> None:
    mark = "#" if language in ("python", languages.TEXT) else "//"
    task, data = from_comment(f"{mark} ad‸ds\r\n\r\n{mark} more\r\n", language)
    done = with_fill(task, data, "X")
    assert done == f"{mark} adds\r\nX\r\n\r\n{mark} more\r\n"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("x‸ = 1\n", "python"),
        ("s = 'no co‸mment'\n", "python"),
        ("‸", "python"),
        ("f(\n    *ar‸gs,\n)\n", "python"),
        ("void f(int *p) {\n    *p‸ = 3;\n}\n", "c"),
        ("#inc‸lude <stdio.h>\n", "cpp"),
        ("#[der‸ive(Debug)]\nstruct A {}\n", "rust"),
        ("'use st‸rict';\nfunction f() {}\n", "javascript"),
        ("class A {\n  #ad‸d() {}\n}\n", "typescript"),
    ],
)
def test_where_there_is_no_comment_it_says_so(text: str, language: str) -> None:
    with pytest.raises(HoleError, match="no comment or docstring"):
        from_comment(text, language)


@pytest.mark.parametrize(
    ("text", "language", "after"),
    [
        ("# ad‸ds\ndef f(a):\n    pass\n", "python", "# adds\ndef f(a):\n    X\n"),
        ("// ad‸ds\nint f(\n  int a)\n{}\n", "c", "// adds\nint f(\n  int a)\n{\nX\n}\n"),
        ("/*\n * ad‸ds\n */\nf(a) {\n}\n", "java", "/*\n * adds\n */\nf(a) {\nX\n}\n"),
        ("// ad‸ds\n@A\nint f(\n){\n  ___\n}", "java", "// adds\n@A\nint f(\n){\n  X\n}"),
        ("// ad‸ds\ntype T = {};\n", "typescript", "// adds\nX\ntype T = {};\n"),
    ],
)
def test_what_is_not_parsed_is_read_line_by_line(text: str, language: str, after: str) -> None:
    task, data = from_comment(text, language, parsed=False)
    assert with_fill(task, data, "X") == after
    with pytest.raises(HoleError, match="no comment or docstring"):
        from_comment("f(\n  *‸p)\n", language, parsed=False)


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


def test_a_long_comment_takes_no_minutes() -> None:
    data = b"// a\n" * 30_000 + b"/* b\n*/\nint f() {}\n"
    begun_s = time.perf_counter()
    task = comment_task(SyntaxTree.parse(data, "c"), data, 3)
    assert time.perf_counter() - begun_s < 5 and task.start == data.index(b"{") + 1


def test_a_place_outside_is_refused() -> None:
    with pytest.raises(HoleError, match="outside the document"):
        bridge_task(b"abc", 4)
    with pytest.raises(HoleError, match="outside the document"):
        comment_task(SyntaxTree.parse(b"abc", "python"), b"abc", 4)
