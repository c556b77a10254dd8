"""Which hole a cursor opens, on drawn documents and on arbitrary ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.span import KINDS, Hole, classify, select_hole
from diffusion.text.syntax import SyntaxTree
from tests.support.drawn import Case, read_cases, read_drawn

CASES = read_cases(Path(__file__).parents[2] / "golden" / "span" / "classify.txt")
ANY_LANGUAGE = st.sampled_from((*languages.NAMES, "tsx", languages.TEXT))
WORDS = r"""if( ) { } [ : " ' # // /* ` def f return a . , = -> :: ; é ${"""
PIECES = (*WORDS.split(" "), "\n", "\r\n", "    ", "\t", "\0", "\x0c")
CODE_LIKE = st.lists(st.sampled_from(PIECES), max_size=40).map(
    lambda parts: "".join(parts).encode()
)


def check(case: Case, newline: str = "\n") -> None:
    language, kind = case.words
    drawn = read_drawn(case.body.replace("\n", newline))
    assert drawn.cursor is not None, f"case at line {case.line} has no cursor"
    tree = SyntaxTree.parse(drawn.data, language)
    found = select_hole(tree, drawn.data, drawn.cursor)
    assert found == Hole(drawn.cursor, drawn.cursor, kind), case.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.words[0]}-{case.name}")
def test_kind_at_cursor(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.words[0]}-{case.name}")
def test_carriage_returns_change_no_kind(case: Case) -> None:
    check(case, "\r\n")


def test_every_kind_and_language_is_drawn() -> None:
    assert {case.words[1] for case in CASES} == set(KINDS)
    assert {languages.canonical(case.words[0]) for case in CASES} == {*languages.NAMES, "text"}


@given(CODE_LIKE | st.binary(max_size=200), ANY_LANGUAGE, st.randoms(use_true_random=False))
def test_any_bytes_have_a_kind(data: bytes, language: str, rng: random.Random) -> None:
    tree = SyntaxTree.parse(data, language)
    at = rng.randint(0, len(data))
    assert classify(tree, data, at) in KINDS
    assert classify(tree, data, at) == classify(SyntaxTree.parse(data, language), data, at)
    assert classify(None, data, at) in KINDS


@pytest.mark.parametrize("cursor", [-1, 4])
def test_cursor_outside_the_document(cursor: int) -> None:
    data = b"abc"
    with pytest.raises(HoleError, match="outside the document of 3 bytes"):
        select_hole(SyntaxTree.parse(data, "python"), data, cursor)


def test_hole_rejects_unknown_kind_and_reversed_range() -> None:
    with pytest.raises(HoleError, match="unknown kind"):
        Hole(0, 1, "verb")
    with pytest.raises(HoleError, match="cannot cover"):
        Hole(2, 1, "lines")


def test_document_over_the_size_guard_is_still_classified() -> None:
    data = b"x = 1\n" * 200_000 + b"print("
    tree = SyntaxTree.parse(data, "python")
    assert not tree.parsed
    assert classify(tree, data, len(data)) == "arguments"


def test_very_long_line_is_classified() -> None:
    data = b"f(" + b"a, " * 50_000
    assert classify(SyntaxTree.parse(data, "javascript"), data, len(data)) == "element"
