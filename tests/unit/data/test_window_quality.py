"""The best data is code that parses and says something."""

from __future__ import annotations

import random

import pytest

from diffusion.data.window_quality import worth_repeating
from diffusion.text.syntax import SyntaxTree

GOOD = b'''def area(shape, scale):
    """Square metres."""
    width, height = shape.width * scale, shape.height * scale
    if width <= 0 or height <= 0:
        raise ValueError(f"no area: {width} x {height}")
    return width * height
'''
PROSE = b" ".join(bytes((97 + number // 26, 97 + number % 26)) * 2 for number in range(200))
TOLD = GOOD.replace(b"Square metres.", PROSE)


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        (GOOD, True),
        (GOOD.replace(b"if width", b"if ((width"), False),
        (b"TABLE = [" + b", ".join(b"%d" % (i * 7919) for i in range(90)) + b"]\n", False),
        (b"push(a, b)\n" * 60, False),
        (b"# Permission is hereby granted to whoever reads this.\n" * 3 + GOOD[:60], False),
        (TOLD, False),
        (b"class A:\n    " + TOLD.replace(b"\n", b"\n    "), False),
        (GOOD.replace(b"raise", b"text = '" + PROSE[:500] + b"'\n        raise"), True),
        (b"\n\n\n", False),
    ],
    ids=[
        "code", "broken", "numbers", "repeated", "comment", "docstring", "method", "string",
        "blank",
    ],
)
def test_what_is_worth_repeating(text: bytes, worth: bool) -> None:
    tree = SyntaxTree.parse(text, "python")
    assert worth_repeating(tree, text, (0, len(text))) is worth


def test_every_digit_is_one() -> None:
    for digit in range(10):
        text = GOOD.replace(b"area", b"area_" + b"%d" % digit * 30)
        assert not worth_repeating(SyntaxTree.parse(text, "python"), text, (0, len(text))), digit


def test_longer_windows_of_the_same_code_are_worth_as_much() -> None:
    """Names come again and again in any program."""
    names = PROSE.split()[:90]
    rng = random.Random(0)
    lines = [b"%s = %s(%s)\n" % tuple(rng.choices(names, k=3)) for _ in range(400)]
    for count in (20, 100, 400):
        text = b"".join(lines[:count])
        assert worth_repeating(SyntaxTree.parse(text, "python"), text, (0, len(text))), count


def test_only_the_window_counts() -> None:
    text = GOOD + b"def broken(((:\n"
    assert worth_repeating(SyntaxTree.parse(text, "python"), text, (0, len(GOOD) - 1))
