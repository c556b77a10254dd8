"""What closes a document whose last blocks are still open."""

from __future__ import annotations

import pytest

from diffusion.text.unclosed import LONGEST_BYTES, Brackets, Unclosed, brackets_of


def unclosed(drawn: str, language: str) -> tuple[str, Unclosed]:
    """The hole is at `|`."""
    before, _, after = drawn.partition("|")
    at = len(before)
    return before, Unclosed((before + after).encode(), at, at, language)


@pytest.mark.parametrize(
    ("language", "drawn", "text", "closed"),
    [
        ("java", "class A {\n  f() {\n    |\n", "g();", "class A {\n  f() {\n    g();\n}\n}\n"),
        ("java", "class A {\n  f() {\n    |\n", "}", "class A {\n  f() {\n    }\n}\n"),
        ("c", "f(a,\n  |", "b", "f(a,\n  b);\n"),
        ("go", "f(a,\n  |", "b", "f(a,\n  b)\n"),
        ("javascript", "f({\n  |", "a: 1", "f({\n  a: 1\n})\n"),
        ("rust", "fn f<'a>() {\n  |\n}\nfn g() {\n", "x", "fn f<'a>() {\n  x\n}\nfn g() {\n}\n"),
        ("python", 'x = [\n  "(",  # (\n  |\n', "1", 'x = [\n  "(",  # (\n  1]\n'),
        ("c", "void f() {\n  int a = b[|", "1", "void f() {\n  int a = b[1\n}\n"),
        ("c", "{\n  |\n  x\n  }\n", "if (a) {", "{\n  if (a) {\n  x\n  }\n}\n"),
    ],
)  # fmt: skip
def test_what_is_open_above_the_line_is_closed(
    language: str, drawn: str, text: str, closed: str
) -> None:
    before, found = unclosed(drawn, language)
    tail = found.tail(text.encode())
    assert tail is not None and before + tail.decode() == closed


@pytest.mark.parametrize(
    ("language", "drawn", "text"),
    [
        ("java", "class A {\n  |\n}\n", "int a;"),
        ("java", "class A {\n  |\n", "}"),
        ("java", "class A {\n  (}\n  |\n", "int a;"),
        ("java", "class A {\n  |\n)\n", "int a;"),
        ("text", "{\n  |\n", "a"),
        ("java", "}\nclass A {\n  |\n", "int a;"),
    ],
)
def test_what_is_closed_or_does_not_match_is_left_alone(
    language: str, drawn: str, text: str
) -> None:
    assert unclosed(drawn, language)[1].tail(text.encode()) is None


def test_the_document_without_the_line_is_closed_too() -> None:
    _, found = unclosed("class A {\n  int a = f(|\n  int b;\n", "java")
    assert found.tail_without_line() == b"\n  int b;\n}\n"


def test_a_large_document_is_not_closed() -> None:
    big = "// a line\n" * (LONGEST_BYTES // 10)
    assert unclosed(big + "class A {\n  |\n", "java")[1].tail(b"int a;") is None


def test_brackets_of_a_text() -> None:
    assert brackets_of(b"a) + (b[1]) + {", "c") == Brackets((ord(")"),), (ord("}"),))
    assert brackets_of(b"'{' \"(\" // [", "c") == Brackets() and Brackets().balanced
    assert brackets_of(b"(]", "c") is None and brackets_of(b"(", "text") is None
