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
