"""The baselines on files where the right answer stands in the file, and where nothing does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.evaluate.baselines import CopyNearestLine, FirstQuote, Ngram, NgramTable
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import Filler, Length
from diffusion.evaluate.pieces import pieces

SETTERS = """\
void set_width(Box *box, int width)
{
    check(box != NULL);
    box->width = width;
}

void set_height(Box *box, int height)
{
"""
LINE_HOLE = Case("l", "c", SETTERS, "    check(box != NULL);", "\n    box->height = height;\n}\n")
MID_LINE = Case(
    "m",
    "python",
    "first = load(path, mode)\nsecond = lo",
    "ad(path, mode)",
    "\nthird = 3\n",
)
CUT: list[Filler] = [CopyNearestLine(), Ngram()]
"""These cut what is too long; a quote is taken whole or not at all."""
ALL: list[Filler] = [*CUT, FirstQuote()]


def fill(filler: Filler, case: Case, length: Length = "predicted") -> str:
    return filler.prepare(case, length)().completion


@pytest.mark.parametrize("filler", ALL, ids=lambda f: f.name)
def test_a_line_that_stands_in_the_file_is_found(filler: Filler) -> None:
    assert fill(filler, LINE_HOLE) == LINE_HOLE.middle


@pytest.mark.parametrize("filler", ALL, ids=lambda f: f.name)
def test_half_a_word_is_completed(filler: Filler) -> None:
    assert fill(filler, MID_LINE) == MID_LINE.middle


@pytest.mark.parametrize("filler", ALL, ids=lambda f: f.name)
def test_what_stands_after_the_hole_is_not_written_again(filler: Filler) -> None:
    case = replace(MID_LINE, middle="ad(path, mode", suffix=")\nthird = 3\n")
    assert fill(filler, case) == case.middle


@pytest.mark.parametrize("filler", ALL, ids=lambda f: f.name)
def test_a_hole_of_whole_lines_ends_with_a_newline(filler: Filler) -> None:
    case = replace(
        LINE_HOLE, middle=LINE_HOLE.middle + "\n", suffix=LINE_HOLE.suffix.removeprefix("\n")
    )
    assert fill(filler, case) == case.middle
    assert fill(filler, case, "oracle") == case.middle


def test_a_copied_line_is_indented_like_its_new_place() -> None:
    case = Case(
        "i",
        "python",
        "def a():\n    if ready(x):\n        go(x)\n\n\n"
        "class B:\n    def b(self):\n        if ready(x):\n",
        "            go(x)",
        "\n",
    )
    assert fill(CopyNearestLine(), case) == case.middle


def test_the_oracle_length_sets_lines_and_pieces() -> None:
    two = replace(LINE_HOLE, middle="    check(box != NULL);\n    box->width = width;")
    assert fill(CopyNearestLine(), two, "oracle") == two.middle
    shorter = replace(two, middle="    a;\n    b;")
    assert fill(CopyNearestLine(), shorter, "oracle") == two.middle
    short = replace(MID_LINE, middle="ad(path")
    for filler in CUT:
        assert fill(filler, short, "oracle") == "ad(path"


def test_a_quote_has_the_length_that_was_asked_for_or_less() -> None:
    assert fill(FirstQuote(), MID_LINE, "oracle") == MID_LINE.middle
    assert fill(FirstQuote(), replace(MID_LINE, middle="ad(path"), "oracle") == ""
    assert fill(FirstQuote(), MID_LINE, 2) == ""


@pytest.mark.parametrize("filler", CUT, ids=lambda f: f.name)
def test_a_fixed_length_is_the_most_pieces(filler: Filler) -> None:
    made = filler.prepare(MID_LINE, 2)()
    assert made.completion == "ad("
    assert made.tokens == 2


@pytest.mark.parametrize("filler", ALL, ids=lambda f: f.name)
def test_an_empty_document_gets_nothing_and_a_reason(filler: Filler) -> None:
    made = filler.prepare(Case("e", "python", "", "x", ""), "predicted")()
    assert made.completion == ""
    assert made.reason


def test_a_background_table_helps_where_the_file_knows_nothing() -> None:
    case = Case("b", "go", "	if err != nil {\n		return ", "nil, err", "\n	}\n")
    assert fill(Ngram(), case) != case.middle
    table = NgramTable.trained(["	if e != nil {\n		return nil, err\n	}\n"], order=4)
    assert fill(Ngram(background=table), case) == case.middle


def test_the_reference_is_not_looked_at_beyond_its_length() -> None:
    for filler in ALL:
        for length in ("predicted", "oracle", 64):
            other = replace(MID_LINE, middle="zz[zzzz{ zzzz!")
            assert len(pieces(other.middle)) == len(pieces(MID_LINE.middle))
            assert fill(filler, MID_LINE, length) == fill(filler, other, length)


@settings(max_examples=40, deadline=None)
@given(prefix=st.text("ab( )\n\t", max_size=40), suffix=st.text("ab( )\n", max_size=40))
def test_no_document_stops_a_baseline(prefix: str, suffix: str) -> None:
    for filler in ALL:
        for length in ("predicted", "oracle", 3):
            made = filler.prepare(Case("h", "python", prefix, "a(b)", suffix), length)()
            assert len(made.completion) <= 64 * 4
