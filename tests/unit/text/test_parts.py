"""Markers, holes and pins: what is filled, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.errors import HoleError
from diffusion.text.parts import MAX_PARTS, find_markers, split

TEXT = b"for ___ in ___: x___ = ____; \xc3\xa9___\nself.___(___)\n"


def test_a_marker_stands_alone() -> None:
    found = find_markers(TEXT)
    assert [TEXT[:start].count(b"\n") for start, _ in found] == [0, 0, 1, 1]
    assert all(TEXT[start:end] == b"___" for start, end in found)
    assert find_markers(b"a<?>b<?>", "<?>") == [(1, 4), (5, 8)], "others stand anywhere"


def test_pins_split_a_hole_into_parts() -> None:
    parts = split(b"0123456789", [(6, 8), (1, 5)], [(2, 3), (6, 7)])
    assert [(p.hole, p.start, p.end, p.beside_pin) for p in parts] == [
        (1, 1, 2, True), (1, 3, 5, True), (0, 7, 8, True),
    ]  # fmt: skip


@given(st.lists(st.integers(0, 40), min_size=2, max_size=12, unique=True), st.data())
def test_parts_are_apart_and_leave_pins_alone(cuts: list[int], data: st.DataObject) -> None:
    cuts = sorted(cuts)
    holes = list(zip(cuts[::2], cuts[1::2], strict=False))
    pins = []
    for start, end in holes:
        low = data.draw(st.integers(start, end))
        high = data.draw(st.integers(low, end))
        if low < high:
            pins.append((low, high))
    parts = split(b"x" * 40, holes, pins)
    pinned = {i for low, high in pins for i in range(low, high)}
    covered = [i for part in parts for i in range(part.start, part.end)]
    assert len(covered) == len(set(covered)) and not pinned & set(covered)
    assert pinned | set(covered) == {i for low, high in holes for i in range(low, high)}


@pytest.mark.parametrize(
    ("holes", "pins", "said"),
    [
        ([], [], "there is no hole"),
        ([(3, 20)], [], "outside the document"),
        ([(5, 3)], [], "outside the document"),
        ([(0, 4), (3, 6)], [], "overlaps"),
        ([(2, 2), (2, 2)], [], "overlaps"),
        ([(0, 3)], [(2, 5)], "lies in no hole"),
        ([(0, 3), (3, 6)], [(3, 3), (8, 9)], r"pin 8\.\.9 lies in no hole"),
        ([(i, i) for i in range(MAX_PARTS + 1)], [], "in several requests"),
    ],
)
def test_what_makes_no_sense_is_refused(
    holes: list[tuple[int, int]], pins: list[tuple[int, int]], said: str
) -> None:
    with pytest.raises(HoleError, match=said):
        split(b"x" * (MAX_PARTS + 1), holes, pins)


@pytest.mark.parametrize("pin", [(0, 5), (1, 2)])
def test_a_pin_that_is_no_text_is_refused(pin: tuple[int, int]) -> None:
    data = "a\ud800b é".encode("utf-8", "surrogatepass")
    with pytest.raises(HoleError, match="is no text in UTF-8"):
        split(data, [(0, len(data))], [pin])
    assert split(data, [(0, len(data))], [(4, 8)])


def test_a_blank_marker_is_refused() -> None:
    with pytest.raises(HoleError, match="marker is blank"):
        find_markers(b"a b", " ")


def test_thousands_of_holes_are_refused_before_anything_is_sorted_out() -> None:
    with pytest.raises(HoleError, match="6000 holes are to be filled, 16 parts are the most"):
        split(b"x" * 12_000, [(2 * n, 2 * n + 1) for n in range(6000)])


def test_a_marker_that_no_document_holds_is_found_nowhere() -> None:
    assert find_markers(b"a = ___", "\ud800") == []
