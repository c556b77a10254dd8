"""Quotes: the likest place of drawn documents, and what holds of any bytes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.quotes import REACH, find_quotes
from tests.support.drawn import Case, read_cases, read_drawn

CASES = read_cases(Path(__file__).parents[2] / "golden" / "quotes" / "first.txt")
WORDS = ("a", "self", ".", " = ", "(", ")", ", ", "\n", "\r\n", "    ", "\t", "é", "\x00")
CODE_LIKE = st.lists(st.sampled_from(WORDS), max_size=60).map(lambda parts: "".join(parts).encode())


def closed(case: Case, newline: str = "\n") -> tuple[bytes, int, bytes]:
    """The document without the hole's text, where the hole is, and that text."""
    drawn = read_drawn(case.body.replace("\n", newline))
    [(start, end)] = drawn.holes
    return drawn.data[:start] + drawn.data[end:], start, drawn.data[start:end]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_the_likest_place_is_quoted_first(case: Case, newline: str) -> None:
    data, at, expected = closed(case, newline)
    assert find_quotes(data, at, at)[0].text == expected


def test_several_lines_are_quoted_where_more_may_be_missing() -> None:
    data = b"def a():\n    open()\n    read()\n    close()\n\ndef b():\n    open()\n    "
    texts = [quote.text for quote in find_quotes(data, len(data), len(data), 8)]
    assert texts[0] == b"read()" and b"read()\n    close()" in texts


def test_places_that_say_the_same_share_their_votes() -> None:
    data = b"x = f(1)\nx = f(1)\nx = f(2)\nx = "
    first, second = find_quotes(data, len(data), len(data))
    assert (first.text, second.text) == (b"f(2)", b"f(1)")
    assert first.share == pytest.approx(1 / 3) and second.share == pytest.approx(2 / 3)
    assert first.likeness >= second.likeness and first.matched == 4


def test_a_place_that_says_nothing_is_no_quote() -> None:
    data = b"a = load(1)\na = load()\na = load()\n"
    at = data.rindex(b")")
    assert [quote.text for quote in find_quotes(data, at, at)] == [b"1"]


def test_of_lines_that_begin_alike_the_one_in_like_company_is_quoted() -> None:
    data = b"alpha()\nreturn one\nbeta()\nreturn two\nalpha()\nreturn "
    assert find_quotes(data, len(data), len(data), 1)[0].text == b"one"
    data = b"x\nreturn one\nalpha()\nx\nreturn two\nbeta()\nx\nreturn \nalpha()"
    at = data.rindex(b"\nalpha()")
    assert find_quotes(data, at, at, 1)[0].text == b"one"


def test_of_lines_below_like_ones_the_second_line_above_decides() -> None:
    data = b"alpha()\nopen()\nfirst()\nomega()\nopen()\nsecond()\nalpha()\nopen()\n"
    assert find_quotes(data, len(data), len(data), 1)[0].text == b"first()"


def test_the_second_line_above_and_the_one_below_also_say_which_name_stands_for_which() -> None:
    place = b"def load_user(key):\n    check()\n    row = user.find(key)\n    log()\n"
    data = place + b"def load_order(key):\n    check()\n"
    assert find_quotes(data, len(data), len(data), 1)[0].text == b"    row = order.find(key)"
    data = place.replace(b"log()", b"return User(row)")
    data += b"x = 1\n    check()\n\n    return Order(row)\n"
    at = data.index(b"\n\n    return Order") + 1
    assert b"    row = order.find(key)" in [quote.text for quote in find_quotes(data, at, at, 2)]


def test_what_is_cut_is_company_and_no_text() -> None:
    long = b'log.warning("' + b"much to say " * 30 + b'")'
    typed = b"a = 1\n" + long + b"\nb = 2\nlog.warning("
    assert find_quotes(typed, len(typed), len(typed)) == []
    below = b"begin()\n" + long + b"\nend()\nbegin()\n"
    texts = [quote.text for quote in find_quotes(below, len(below), len(below), 8)]
    assert not any(b"much to say" in text for text in texts)


@pytest.mark.parametrize("document", [b"", b"x", b"only_line(", b"a b c "])
def test_without_a_like_place_nothing_is_quoted(document: bytes) -> None:
    assert find_quotes(document, len(document), len(document)) == []


def test_another_document_is_quoted_where_this_one_has_nothing_as_like() -> None:
    data = b"value = here()\nother = "
    at = len(data)
    elsewhere = [b"x = 1\nother = there()\n", b"value = far()\nother = farther()\n"]
    assert [q.text for q in find_quotes(data, at, at, 3)] == [b"here()"]
    assert [q.text for q in find_quotes(data, at, at, 2, elsewhere)] == [b"farther()", b"there()"]
    data = b"x = 1\nother = here()\nx = 1\nother = "
    assert find_quotes(data, len(data), len(data), 1, elsewhere[:1])[0].text == b"here()"


def test_whole_lines_are_quoted_from_another_document() -> None:
    data = b"def main():\n    setup()\n    "
    elsewhere = [b"def other():\n    setup()\n    run()\n"]
    assert find_quotes(data, len(data), len(data), 1, elsewhere)[0].text == b"run()"


SPACES = b"def main():\n    if ready():\n        log(1)\n        stop()\n"
TABS = b"def main():\n\tif ready():\n\t\tlog(1)\n\t\tstop()\n"
NARROW = b"def main():\n  if ready():\n    log(1)\n    stop()\n"


@pytest.mark.parametrize("other", [SPACES, TABS, NARROW])
@pytest.mark.parametrize("unit", [b"    ", b"\t", b"  "])
def test_another_way_of_indenting_is_quoted_by_levels(unit: bytes, other: bytes) -> None:
    data = b"def x():\n" + unit + b"y()\n\ndef a():\n" + unit + b"if ready():\n" + 2 * unit
    texts = [quote.text for quote in find_quotes(data, len(data), len(data), 8, [other])]
    assert b"log(1)\n" + 2 * unit + b"stop()" in texts
    assert all(text == text.lstrip() for text in texts)


@pytest.mark.parametrize(
    "before",
    [
        "def h(items):\n    out = []\n    for item in items:\n        out.append(item)\n    ",
        "class A:\n    def __init__(self, size):\n        self.size = size\n        ",
    ],
)
def test_who_has_indented_a_line_has_said_how_deep_it_is(before: str) -> None:
    quotes = find_quotes(before.encode(), len(before), len(before))
    assert quotes and not any(quote.text[:1].isspace() for quote in quotes)


def test_below_what_opens_a_block_a_line_may_be_deeper_than_typed() -> None:
    before = "def f(items):\n    for item in items:\n        out.append(item)\n"
    before += "    for item in items:\n    "
    [first, *_] = find_quotes(before.encode(), len(before), len(before))
    assert first.text == b"    out.append(item)"


def test_lines_that_would_be_shallower_than_typed_are_no_quote() -> None:
    hole = b"void f() {\n    a();\n}\nint b;\n\nvoid g() {\n    a();\n    "
    texts = [quote.text for quote in find_quotes(hole, len(hole), len(hole))]
    assert b"a();" in texts and not any(text.startswith(b"}") for text in texts)
    at_column_0 = hole.rstrip(b" ")
    assert find_quotes(at_column_0, len(at_column_0), len(at_column_0))[0].text == b"}"


@pytest.mark.parametrize(
    ("line", "in_prose"),
    [
        (b"keys := make(map[string]int)", False),
        (b"// a name is never empty", True),
        (b"// the axis has no end", False),
    ],
)
def test_in_prose_the_end_of_a_word_says_nothing(line: bytes, in_prose: bool) -> None:
    typed = b"// ErrNotFounds " if line.startswith(b"k") else b"// ErrNotFound is "
    data = line + b"\n\n" + typed
    assert find_quotes(data, len(data), len(data))
    assert bool(find_quotes(data, len(data), len(data), prose=True)) == in_prose


def test_what_is_far_away_is_not_searched() -> None:
    far = b"value = found()\n" + b"#\n" * REACH
    data = far + b"value = "
    assert all(q.text != b"found()" for q in find_quotes(data, len(data), len(data)))


@pytest.mark.parametrize("extra", [-1, 0, 1, 20, 32, 43, 44, 45])
def test_a_line_that_the_reach_goes_through_is_no_quote(extra: int) -> None:
    """It is quoted whole or not at all, wherever the last byte that is searched lies in it."""
    line = b"    send_report_to(customer.address, total)\n"
    typed = b"    send_report_to("
    blank = b"#" * (REACH - extra - 2) + b"\n"
    here, there = b"begin()\n" + typed, b"#" * REACH + b"\n" + blank
    whole = b"customer.address, total)"
    for data, at, others in (
        (here + b"\n" + blank + line, len(here), ()),
        (line + blank + b"\n" + typed, len(line + blank + b"\n" + typed), ()),
        (here, len(here), (there + line,)),
    ):
        quoted = [quote.text for quote in find_quotes(data, at, at, 8, others)]
        assert quoted == ([whole] if len(line) <= extra else []), quoted


@given(CODE_LIKE | st.binary(max_size=200), st.data())
def test_any_bytes(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    quotes = find_quotes(data, at, at, 5)
    assert len(quotes) <= 5
    assert len({quote.text for quote in quotes}) == len(quotes)
    for quote in quotes:
        assert quote.text.strip()
        assert 0.0 <= quote.share <= 1.0
        assert quote.likeness <= 1.0 + 0.01
    assert all(a.likeness >= b.likeness for a, b in pairwise(quotes))
    assert quotes == find_quotes(data, at, at, 5)


def test_likeness_is_a_share_even_where_names_are_exchanged() -> None:
    line = b"configuration_of_everything_that_there_is.read_%s('some_long_key', 10)\n"
    above = b"begin()\n" + line % b"a" + b"use(read_a)\nend()\nbegin()\n" + line % b"b"
    quotes = find_quotes(above + b"end()\n", len(above), len(above))
    assert quotes[0].text == b"use(read_b)" and quotes[0].likeness == 1.0
