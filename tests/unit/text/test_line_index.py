"""The index of a repository's lines: it finds what a search of every line would."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diffusion.text import quotes
from diffusion.text.line_index import LONGEST_LINE, MOST_PLACES, LineIndex
from diffusion.text.quotes import find_quotes

SHOP = b"def pay(cart):\n    total = cart.total()\n    charge(total)\n    return total\n"
BANK = b"def charge(amount):\n    account = find_account()\n\n    account.take(amount)\n"
FILES = [("shop.py", SHOP), ("bank.py", BANK)]


def cursor(drawn: bytes) -> tuple[bytes, int]:
    """A document and where `|` stands in it."""
    at = drawn.index(b"|")
    return drawn[:at] + drawn[at + 1 :], at


def excerpts(index: LineIndex, drawn: bytes) -> tuple[bytes, ...]:
    data, at = cursor(drawn)
    return index.excerpts(data, at, at)


def test_below_a_like_line_stands_what_was_below_the_other() -> None:
    found = excerpts(LineIndex.of(FILES), b"def pay(basket):\n    |\n")
    assert found[0].splitlines()[:2] == SHOP.splitlines()[:2]


def test_above_a_like_line_stands_what_was_above_the_other() -> None:
    found = excerpts(LineIndex.of(FILES), b"x = 1\n    |\n    account.take(amount)\n")
    assert b"account = find_account()" in found[0].splitlines()[1]


def test_the_first_line_of_a_file_stands_below_nothing() -> None:
    index = LineIndex.of([("a.py", b"import os\nstart()\n")])
    assert excerpts(index, b"|\nstart()\n") == ()


def test_what_was_typed_is_found_with_the_lines_around_it() -> None:
    found = excerpts(LineIndex.of(FILES), b"    total = cart|\n")
    assert found == (b"def pay(cart):\n    total = cart.total()\n    charge(total)\n",)


def test_the_longest_end_of_what_was_typed_comes_first() -> None:
    index = LineIndex.of([("a.py", b"b = total\n"), ("b.py", b"new_total = 1\n")])
    assert excerpts(index, b"new_total|") == (b"new_total = 1\n", b"b = total\n")


def test_of_lines_that_hold_the_same_the_one_in_like_company_comes_first() -> None:
    files = [("a.py", b"one()\nreturn 1\n"), ("b.py", b"two()\nreturn 2\n")]
    found = excerpts(LineIndex.of(files), b"two()\nreturn |\n")
    assert [text.splitlines()[-1] for text in found] == [b"return 2", b"return 1"]


def test_files_can_be_hidden_and_the_index_stays_as_it_was() -> None:
    index = LineIndex.of(FILES)
    hidden = index.without({"shop.py", "elsewhere.py"})
    for drawn in (b"def pay(basket):\n    |\n", b"    total = cart|\n"):
        assert not any(b"cart" in text for text in excerpts(hidden, drawn))
        assert any(b"cart" in text for text in excerpts(index, drawn))


def test_a_hidden_file_is_as_if_it_were_not_there() -> None:
    own = b"total = cart.value(first)\n" * 3
    files = [("own.py", own), ("a.py", b"x = cart.value(second)\n"), ("b.py", b"value(third)\n")]
    hidden = LineIndex.of(files).without({"own.py"})
    for drawn in (b"total = cart.value(|", b"total = cart.value(first)\n|\n"):
        assert excerpts(hidden, drawn) == excerpts(LineIndex.of(files[1:]), drawn)
    assert excerpts(hidden, b"total = cart.value(|")[0] == files[1][1]
    assert (hidden.files, hidden.lines) == (2, 2)


PARTS = st.lists(st.sampled_from([b"a.b(c)\n", b"x = a.b(", b"\n", b"b(c)\n"]), max_size=20)


@given(PARTS, st.data())
def test_hiding_a_file_is_leaving_it_out(parts: list[bytes], draw: st.DataObject) -> None:
    files = [(str(n), b"".join(parts[n::3])) for n in range(3)]
    name = draw.draw(st.sampled_from("012"))
    rest = [(other, data) for other, data in files if other != name]
    typed = draw.draw(st.sampled_from([b"x = a.b(", b"a.b(c", b"b(", b"", b"  "]))
    data = b"a.b(c)\n" + typed + b"\nb(c)\n"
    asked = (data, 7 + len(typed), 7 + len(typed))
    hidden = LineIndex.of(files).without({name})
    assert hidden.excerpts(*asked) == LineIndex.of(rest).excerpts(*asked)


def test_an_excerpt_holds_lines_of_one_file() -> None:
    index = LineIndex.of([("a.py", b"end_of_a()\n"), ("b.py", b"start_of_b()\n")])
    assert excerpts(index, b"end_of_a()\n|\n") == ()
    assert excerpts(index, b"end_of|\n")[0] == b"end_of_a()\n"


def test_nothing_is_found_where_nothing_is_alike_or_there_are_no_lines() -> None:
    for files in ([], [("a.py", b"")], [("a.py", b"\n \n")], [("a.py", b"qqqq\n")]):
        for drawn in (b"|", b"def pay(basket):\n    |\n", b"x|", b"\xff\xfe|"):
            assert excerpts(LineIndex.of(files), drawn) == ()


def test_the_nearest_files_are_held_when_not_all_fit() -> None:
    index = LineIndex.of(FILES, most_bytes=len(SHOP) + 1)
    assert index.names == ("shop.py",) and len(index) == 4
    large = LineIndex.of([("shop.py", SHOP)], most_bytes=50)
    assert len(large) == 2, "a first file that is too large is cut, between two lines"


def test_long_lines_are_cut() -> None:
    index = LineIndex.of([("a.py", b"x" * 1000 + b"\n")])
    assert excerpts(index, b"x|") == (b"x" * LONGEST_LINE + b"\n",)


@pytest.mark.parametrize("shift", range(6))
def test_half_of_a_long_line_is_no_quote(shift: int) -> None:
    """Also where the cut falls behind a blank; a line with blanks behind it is no long one."""
    long = b'    register("' + b"x" * shift + b"alpha " * 60 + b'")'
    data = b"def setup():\n    register("
    index = LineIndex.of([("a.py", b"def setup():\n" + long + b"\n    done()\n")])
    assert find_quotes(data, len(data), len(data), 4, excerpts(index, data + b"|")) == []
    index = LineIndex.of([("a.py", b"    register(1)" + b" " * LONGEST_LINE + b"\n")])
    [quote] = find_quotes(data, len(data), len(data), 4, excerpts(index, data + b"|"))
    assert quote.text == b"1)"


def test_common_lines_cost_no_more_places_than_there_may_be() -> None:
    index = LineIndex.of([("a.py", b"return value\n" * 1000)])
    assert len(excerpts(index, b"return |\n")) <= MOST_PLACES


LINES = st.lists(
    st.sampled_from([b"a = f(x)", b"  a = f(y)", b"b = g(x)", b"", b"return a", b"if a:"]),
    max_size=12,
).map(b"\n".join)  # fmt: skip


@example(b"b = g(x)\nb = g(x)\nb = g(x)", b"return a", b"b", b"a = f(x)")
@given(LINES, LINES, st.sampled_from([b"", b"  ", b"a = ", b"b", b"return "]), LINES)
def test_quotes_of_excerpts_begin_as_quotes_of_the_whole_file(
    other: bytes, above: bytes, typed: bytes, below: bytes
) -> None:
    """The likeliest place of a whole document is among the excerpts, so it is quoted first."""
    data = above + b"\n" + typed + b"\n" + below
    at = len(above) + 1 + len(typed)
    found = LineIndex.of([("other.py", other)]).excerpts(data, at, at)
    whole = find_quotes(data, at, at, 1, [other])
    some = find_quotes(data, at, at, 1, found)
    if whole and whole[0].likeness >= 0.8:
        assert some and some[0].likeness == pytest.approx(whole[0].likeness)


@given(st.binary(max_size=300), st.binary(max_size=100), st.data())
def test_any_bytes(other: bytes, data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    index = LineIndex.of([("other", other)])
    found = index.excerpts(data, at, at)
    assert found == index.excerpts(data, at, at)
    assert all(text.endswith(b"\n") for text in found)
    assert quotes.find_quotes(data, at, at, 4, found) is not None
