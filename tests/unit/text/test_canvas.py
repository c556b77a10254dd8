"""The layout: drawn documents in, context tokens and canvases out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import CanvasError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import (
    GAP,
    MAX_CANVAS,
    MAX_PINS,
    Placement,
    canvas_ids,
    lay_out,
    place,
    read_back,
    window_around,
)
from diffusion.text.tokenizer import BOF, DEL, EOF, MASK, Tokenizer

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


def cut(drawn: str) -> tuple[bytes, int, int]:
    """`⟦` and `⟧` mark the hole; its text stays in the document."""
    before, rest = drawn.split("⟦")
    inside, after = rest.split("⟧")
    start = len(before.encode())
    return (before + inside + after).encode(), start, start + len(inside.encode())


@pytest.mark.parametrize(
    ("drawn", "before_anchor", "pinned", "constraint"),
    [
        ("a = 1\nb = fo⟦o(a)⟧\n", "a = 1", "\nb =", " fo"),
        ("a = 1\n⟦b = 2⟧\n", "a = 1", "", "\n"),
        ("if a:\n    ⟦b = 2⟧\n", "if a:", "", "\n    "),
        ("if a:\n    return ⟦b⟧\n", "if a:", "\n    return", " "),
        ("x⟦ = 1⟧", "", "", "x"),
        ("⟦x = 1⟧", "", "", ""),
        ("a\r\n  b(⟦c⟧)\r\n", "a", "\r\n  b", "("),
    ],
)
def test_place(drawn: str, before_anchor: str, pinned: str, constraint: str) -> None:
    data, start, end = cut(drawn)
    placed = place(TOKENIZER, data, start, end)
    assert data[: placed.anchor].decode() == before_anchor
    assert TOKENIZER.decode(placed.pins).decode() == pinned
    assert placed.constraint.decode() == constraint


@given(st.binary(max_size=300), st.data())
def test_anchor_pins_and_constraint_rebuild_the_text_before_the_hole(data: bytes, draw) -> None:
    start = draw.draw(st.integers(0, len(data)))
    placed = place(TOKENIZER, data, start, start)
    typed = TOKENIZER.decode(placed.pins) + placed.constraint
    assert data[: placed.anchor] + typed == data[:start]
    assert len(placed.pins) <= MAX_PINS


def test_a_long_line_keeps_its_end_on_the_canvas() -> None:
    data = b"call(" + b", ".join(b"name%d" % i for i in range(200)) + b", na"
    placed = place(TOKENIZER, data, len(data), len(data))
    assert 0 < len(placed.pins) <= MAX_PINS
    assert data.endswith(TOKENIZER.decode(placed.pins) + placed.constraint)
    words = b"call(" + b" a" * 200
    assert len(place(TOKENIZER, words, len(words), len(words)).pins) == MAX_PINS


def test_a_long_word_of_another_script_is_context() -> None:
    data = "# サーバーへの接続".encode()
    assert place(TOKENIZER, data, len(data), len(data)) == Placement(len(data), len(data), (), b"")
    short = "# é".encode()
    assert place(TOKENIZER, short, len(short), len(short)).constraint


def test_a_long_line_below_is_seen_as_far_as_the_window_goes() -> None:
    data = b"x = 1\n\n" + b"table = [" + b"1, " * 3000 + b"]\n"
    at = data.index(b"\n\n") + 1
    low, high = window_around(TOKENIZER, data, place(TOKENIZER, data, at, at), 200)
    assert low == 0 and high > at + 50


def test_positions_leave_a_gap_of_fixed_size() -> None:
    data, start, end = cut("a = 1\nb = ⟦2⟧\nc = 3\n")
    placed = place(TOKENIZER, data, start, end)
    context = lay_out(TOKENIZER, data, (0, len(data)), [placed], "python")
    hole = context.hole_positions[0]
    assert context.ids[:2] == (TOKENIZER.language_id("python"), BOF)
    assert context.ids[-1] == EOF
    before = context.positions[:hole]
    assert before == tuple(range(hole))
    assert context.positions[hole] == hole + GAP
    assert TOKENIZER.decode(context.ids) == b"a = 1\nc = 3\n"


@given(st.text(alphabet="ab(=) ", max_size=30), st.text(alphabet="ab(=) ", max_size=30))
def test_typing_and_filling_never_change_the_context(typed: str, filled: str) -> None:
    def context(on_line: str, hole: str):
        data, start, end = cut(f"first = 1\n{on_line}⟦{hole}⟧\nlast = 2\n")
        placed = place(TOKENIZER, data, start, end)
        return lay_out(TOKENIZER, data, (0, len(data)), [placed], "python")

    assert context(typed, filled) == context("", "x")


def test_several_holes_each_get_a_gap() -> None:
    data = b"a = 1\nb = 2\nc = 3\n"
    holes = [place(TOKENIZER, data, 4, 5), place(TOKENIZER, data, 16, 17)]
    context = lay_out(TOKENIZER, data, (0, len(data)), holes, "python")
    assert context.hole_positions[1] - context.hole_positions[0] > GAP
    assert TOKENIZER.decode(context.ids) == b"\nb = 2\n"


def test_overlapping_holes_are_refused() -> None:
    data = b"a = 1\nb = 2\n"
    holes = [place(TOKENIZER, data, 4, 8), place(TOKENIZER, data, 7, 9)]
    with pytest.raises(CanvasError, match="overlaps"):
        lay_out(TOKENIZER, data, (0, len(data)), holes, "python")


def test_a_hole_outside_the_document_is_refused() -> None:
    with pytest.raises(CanvasError, match="outside the document of 3 bytes"):
        place(TOKENIZER, b"abc", 2, 4)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_window_stays_within_its_budget_and_starts_at_lines(line_end: bytes) -> None:
    data = b"".join(b"value_%d = %d%b" % (i, i, line_end) for i in range(400))
    start = data.index(b"200 = 200")
    placed = place(TOKENIZER, data, start, start)
    low, high = window_around(TOKENIZER, data, placed, 100)
    assert 0 < low < placed.anchor < high < len(data)
    assert data[low:].startswith(line_end) and data[high:].startswith(line_end)
    assert len(TOKENIZER.encode(data[low : placed.anchor])) <= 65
    assert len(TOKENIZER.encode(data[placed.end : high])) <= 35


def test_what_one_side_of_the_window_leaves_over_goes_to_the_other() -> None:
    data = b"".join(b"value_%d = %d\n" % (i, i) for i in range(400))
    first, last = data.index(b"1 = 1"), data.index(b"398 = 398")
    low, high = window_around(TOKENIZER, data, place(TOKENIZER, data, first, first), 100)
    assert low == 0 and 70 < len(TOKENIZER.encode(data[first:high])) <= 100
    low, high = window_around(TOKENIZER, data, place(TOKENIZER, data, last, last), 100)
    assert high == len(data) and 70 < len(TOKENIZER.encode(data[low:last])) <= 100


def test_a_short_document_is_taken_whole() -> None:
    data = b"a = 1\nb = \nc = 3\n"
    placed = place(TOKENIZER, data, 10, 10)
    assert window_around(TOKENIZER, data, placed, 500) == (0, len(data))


def test_canvas_is_pins_then_masks() -> None:
    assert canvas_ids((40, 41), 3) == (40, 41, MASK, MASK, MASK)
    for pins, slots in (((), 0), ((40,) * 10, MAX_CANVAS)):
        with pytest.raises(CanvasError, match="do not fit"):
            canvas_ids(pins, slots)


def test_read_back_stops_at_the_end_and_drops_the_constraint() -> None:
    ids = TOKENIZER.encode(b"foo(a)")
    assert read_back(TOKENIZER, [*ids, DEL, DEL], b"fo") == b"o(a)"
    assert read_back(TOKENIZER, [*ids, MASK, *ids], b"") == b"foo(a)"
    with pytest.raises(CanvasError, match="does not begin with"):
        read_back(TOKENIZER, ids, b"bar")
