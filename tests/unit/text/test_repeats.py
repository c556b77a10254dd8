"""Lines that may come again, and lines that never do. `⟦⟧` is the hole; its text is judged."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffusion.text.repeats import PRIOR, REACH, Repeats
from tests.unit.text.test_canvas import cut

SWITCH = """switch (kind) {
  case ONE: return 1;
  case TWO: return 2;
  case TEN: return 3;
  ⟦case SIX: return 4;⟧
  case NIL: return 5;
}
"""
BREAKS = "".join(f"  case {name}:\n    run{name}();\n    break;\n" for name in "ABCDEF")


def judge(drawn: str, text: str | None = None) -> float:
    data, start, end = cut(drawn)
    asked = data[start:end] if text is None else text.encode()
    return Repeats(data, start, end).log_odds(asked)


def test_a_label_that_is_there_already_is_unlikely() -> None:
    """Four of its kin, none of which comes again."""
    rate = 2 * PRIOR / 6
    assert judge(SWITCH) == pytest.approx(math.log((1 - rate) / (1 - PRIOR)))
    assert judge(SWITCH, "case TWO: return 2;") == pytest.approx(math.log(rate / PRIOR))


@pytest.mark.parametrize(
    ("line", "other"),
    [("import json", "import os"), ("#include <string.h>", "#include <stdio.h>")],
)
def test_what_is_imported_is_not_imported_again(line: str, other: str) -> None:
    drawn = f"{line}\n⟦⟧\nrun()\n"
    assert judge(drawn, line) < -3.0 < 0.0 < judge(drawn, other)
    assert judge("run()\n⟦⟧\nimport json\n", "run()") > -1.0, "who knows"


def test_what_comes_again_and_again_may_come_once_more() -> None:
    drawn = f"switch (kind) {{\n{BREAKS}  case G:\n    ⟦break;⟧\n}}\n"
    assert judge(drawn) > 0.5
    assert judge(drawn, "return;") == pytest.approx(0.0)


def test_what_is_typed_and_the_rest_of_the_line_belong_to_it() -> None:
    drawn = "  expect(a, LEFT);\n  expect(b, LEFT);\n  expect(⟦c⟧, LEFT);\n"
    assert judge(drawn) > 0 > judge(drawn, "a")


def test_names_numbers_and_strings_have_one_shape() -> None:
    drawn = "put('a', 1)\nput(\"b\\\"\", 22)\nput(`c`, 3.5)\n⟦put(name, 0)⟧\n"
    assert judge(drawn, "put('a', 1)") < judge(drawn, "go('a', 1)") == 0.0


@pytest.mark.parametrize("text", ["", "\n\n", "x)", "}"])
def test_what_is_too_short_says_nothing(text: str) -> None:
    assert judge("}\nx)\n⟦⟧\n}\nx)\n", text) == 0.0


def test_far_away_is_not_nearby() -> None:
    far = "total += 1\n" + "".join(f"call_{n}(x)\n" for n in range(30))
    assert judge(f"{far}⟦total += 1⟧\n") > judge(f"total += 1\n{far}⟦total += 1⟧\n") - 1e-9
    assert judge(f"{far}total += 1\n⟦total += 1⟧\n") < judge(f"{far}⟦total += 1⟧\n")


def test_three_lines_are_judged_and_no_more() -> None:
    drawn = f"{SWITCH}".replace("⟦case SIX: return 4;⟧", "⟦⟧")
    again = ["case ONE: return 1;", "case TWO: return 2;", "case TEN: return 3;"]
    three = judge(drawn, "\n".join(again))
    assert three == pytest.approx(3 * judge(drawn, again[0]))
    assert judge(drawn, "\n".join([*again, *again])) == pytest.approx(three)


def test_line_ends_of_any_kind_are_no_part_of_a_line() -> None:
    assert judge(SWITCH.replace("\n", "\r\n")) == pytest.approx(judge(SWITCH))


@given(st.binary(max_size=200), st.binary(max_size=40), st.data())
def test_any_bytes_are_judged(data: bytes, text: bytes, draw) -> None:
    start = draw.draw(st.integers(0, len(data)))
    end = draw.draw(st.integers(start, len(data)))
    assert math.isfinite(Repeats(data, start, end).log_odds(text))


def log_odds(again: int, count: int, *, near: bool) -> float:
    """Of a line with `count` lines of its kind, of which `again` come again nearby."""
    rate = (again + 2 * PRIOR) / (count + 2)
    return math.log(rate / PRIOR if near else (1 - rate) / (1 - PRIOR))


def fill(lines: int, letter: str = "c") -> str:
    return "".join(f"{letter}all_{n}(x)\n" for n in range(lines))


@pytest.mark.parametrize("apart", [1, 19, 20, 21, 22])
def test_twenty_lines_away_is_nearby_and_one_more_is_not(apart: int) -> None:
    """Counted from the hole, up and down."""
    line, between = "total += 1\n", fill(apart - 1)
    expected = pytest.approx(log_odds(0, 1, near=apart <= 20))
    assert judge(f"{line}{between}⟦total += 1⟧\n") == expected
    assert judge(f"⟦total += 1⟧\n{between}{line}") == expected


@pytest.mark.parametrize("apart", [20, 21])
def test_kin_come_again_within_twenty_lines(apart: int) -> None:
    line, again = "total += 1\n", int(apart <= 20)
    two = f"{line}{fill(apart - 1)}{line}"
    expected = pytest.approx(log_odds(again, 2, near=False))
    assert judge(f"{two}⟦total += 2⟧\n") == expected
    assert judge(f"⟦total += 2⟧\n{two}") == expected
    above, below = fill(9, "d"), fill(apart - 11, "e")  # the hole is a line between them
    assert judge(f"{line}{above}⟦total += 2⟧\n{below}{line}") == expected


@pytest.mark.parametrize(("length", "judged"), [(159, True), (160, False)])
def test_a_line_of_160_bytes_says_nothing(length: int, judged: bool) -> None:
    line = f"call({'x' * (length - 6)})"
    assert len(line) == length
    expected = log_odds(0, 1, near=True) if judged else 0.0
    assert judge(f"{line}\n⟦{line}⟧\n") == pytest.approx(expected)


@pytest.mark.parametrize("length", [REACH, 2 * REACH])
def test_a_line_as_long_as_what_is_looked_at_says_nothing(length: int) -> None:
    """With what was typed of it, though what is put in is a line that stands below."""
    data = b"x" * length + b"\n" + b"total += 1\n" * 3
    assert Repeats(data, length, length).log_odds(b"total += 1") == 0.0
