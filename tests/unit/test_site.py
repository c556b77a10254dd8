"""What a text does to the syntax of a document, by itself and beside others."""

from __future__ import annotations

import pytest

from diffusion.site import MOST_ERRORS, Site, Syntax, errors_more, syntax_of
from diffusion.text.syntax import SyntaxTree


def site(drawn: str, language: str = "python") -> Site:
    """The hole is at `|`."""
    before, _, after = drawn.partition("|")
    data = (before + after).encode()
    return Site(SyntaxTree.parse(data, language), data, len(before), len(before), language, "cut")


@pytest.mark.parametrize(
    ("drawn", "text", "found"),
    [
        ("x = f(|)\n", "1", Syntax(True, 0)),
        ("x = f(|)\n", "g(1", Syntax(False, 1)),
        ("x = f(|\n", "1)", Syntax(True, 0)),
        ("x = f(|\n", "1", Syntax(False, 1)),
        ("x = f(|", "1", Syntax(True)),
    ],
)
def test_what_a_text_does(drawn: str, text: str, found: Syntax) -> None:
    language = "python" if drawn.endswith("\n") else "text"
    assert syntax_of(site(drawn, language), text.encode()) == found


@pytest.mark.parametrize(
    ("language", "drawn", "text", "found"),
    [
        ("java", "class A {\n  A(long b) {\n    |\n", "this.b = b;", Syntax(True, 0)),
        ("java", "class A {\n  A(long b) {\n    |\n", "this.b = b;\n  }", Syntax(True, 0)),
        ("c", "void f() {\n  int a = 1;\n  |\n", "g(a);", Syntax(True, 0)),
        ("typescript", "class A {\n  f() {\n    |\n", "return 1;", Syntax(True, 0)),
        ("rust", "fn f() {\n    |\n", "let a = 1;", Syntax(True, 0)),
        ("python", "x = f(\n    |\n", "1", Syntax(True, 0)),
        ("java", "class A {\n  A(long b) {\n    |\n", "this.b = ;", Syntax(False, 1)),
        ("java", "class A {\n  A(long b) {\n    |\n", "f(b", Syntax(False, 1)),
        ("java", "class A {\n  A(long b) {\n    f(|\n", "b);", Syntax(True, 0)),
        ("java", "class A {\n  A(long b) {\n    f(|\n", "b", Syntax(False, 1)),
        ("c", "void f() {\n  |\n", "if (a) {", Syntax(False, 1)),
    ],
)
def test_at_the_end_of_a_file_open_blocks_are_no_error(
    language: str, drawn: str, text: str, found: Syntax
) -> None:
    assert syntax_of(site(drawn, language), text.encode()) == found


def test_a_text_that_closes_the_block_does_not_make_one_that_leaves_it_open_an_error() -> None:
    where = site("void f() {\n  |\n", "c")
    texts = {text: syntax_of(where, text.encode()) for text in ("g();", "g();\n}", "g(")}
    assert [texts[text].parses for text in texts] == [True, True, False]
    assert errors_more(where, texts)["g();"] == 0


def test_what_is_broken_elsewhere_is_closed_all_the_same() -> None:
    where = site("int g() { = }\nvoid f() {\n  |\n", "c")
    assert where.errors_if_closed
    texts = {text: syntax_of(where, text.encode()) for text in ("a = 1;", "a = ;")}
    assert [texts[text].parses for text in texts] == [True, False]
    assert not errors_more(where, texts)["a = 1;"]


@pytest.mark.parametrize(
    ("text", "parses"),
    [("self.f()", True), ("self.f(", False), ("x = f(self.g()", False), ("x = 1)", False)],
)
def test_an_error_from_above_that_encloses_the_hole_is_not_the_text_s(
    text: str, parses: bool
) -> None:
    where = site("class A:\n    def f(self:\n        try:\n            |\n        except A:\n")
    assert where.tree.error_count() and syntax_of(where, text.encode()).parses == parses


def test_an_error_of_the_hole_s_own_line_is_the_text_s_to_mend() -> None:
    assert not syntax_of(site("x = f(|\n"), b"1").parses


BODY = "def f(x):\n    a()\n    |\n    b()\n"


@pytest.mark.parametrize(
    ("drawn", "text", "found"),
    [
        (BODY, "if x:", Syntax(False, 1)),
        (BODY, "try:\n        c()\n    finally:", Syntax(False, 1)),
        (BODY, "if x:\n        c()", Syntax(True, 0)),
        (BODY, "    c()", Syntax(False, 1)),
        (BODY, "c()\n        d()", Syntax(False, 1)),
        (BODY, "c(\n  d)  # why\n      # why", Syntax(True, 0)),
        ("def f(x):\n    a()\n    |\n        b()\n", "if x:", Syntax(True, 0)),
        ("def f(x):\n    a()\n    |\n\n\nc()\n", "b()", Syntax(True, 0)),
        ("def f(x):\n    a()\n    |\n", "if x:", Syntax(True, 0)),
        ("def f(x):\n    a()\n    if |\n    b()\n", "x:", Syntax(True, 0)),
        ("def f(x):\n    a()\n        |\n    b()\n", "c()\n        d()", Syntax(True, 0)),
        ("def f(x):\n    |\n    b()\n", "    a()", Syntax(False, 1)),
    ],
)
def test_what_the_grammar_of_python_does_not_see(drawn: str, text: str, found: Syntax) -> None:
    assert syntax_of(site(drawn), text.encode()) == found


def test_where_a_body_or_its_head_is_missing_what_is_neither_leaves_an_error() -> None:
    assert more("def f(x):\n    if x:\n        |\n    b()\n", "c()", "# why") == [0, 1]
    assert more("def f(x):\n    |\n        b()\n", "if x:", "c()") == [0, 1]
    assert more("def f(x):\n    a()\n    |\n        b()\n", "d()", "c()") == [0, 0]


def more(drawn: str, *texts: str) -> list[int]:
    where = site(drawn)
    found = errors_more(where, {text: syntax_of(where, text.encode()) for text in texts})
    return [found[text] for text in texts]


def test_where_one_text_makes_all_sound_half_of_it_leaves_an_error() -> None:
    assert more("x = f(|\ny = 1\n", "1)", "1") == [0, 2]
    assert more("x = f(|\ny = 1\n", "1", "2") == [1, 1], "more than before, if nothing mends it"


def test_in_a_document_that_is_broken_elsewhere_only_what_is_added_counts() -> None:
    assert more("a = = 1\nx = f(|)\n", "1", "2", "g(") == [0, 0, 1]


def test_what_nobody_could_look_at_counts_for_nothing_and_many_errors_as_some() -> None:
    where = site("x = |\n")
    found = errors_more(where, {"a": Syntax(True, 0), "b": Syntax(True), "c": Syntax(False, 99)})
    assert found == {"a": 0, "b": 0, "c": MOST_ERRORS}
