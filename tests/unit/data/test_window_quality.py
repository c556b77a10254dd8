"""The best data is code that parses and says something."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        (GOOD, True),
        (GOOD.replace(b"if width", b"if ((width"), False),
        (b"TABLE = [" + b", ".join(b"%d" % (i * 7919) for i in range(90)) + b"]\n", False),
        (b"push(a, b)\n" * 60, False),
        (b"# Permission is hereby granted to whoever reads this.\n" * 3 + GOOD[:60], False),
        (b"\n\n\n", False),
    ],
    ids=["code", "broken", "numbers", "repeated", "comment", "blank"],
)
def test_what_is_worth_repeating(text: bytes, worth: bool) -> None:
    tree = SyntaxTree.parse(text, "python")
    assert worth_repeating(tree, text, (0, len(text))) is worth


def test_every_digit_is_one() -> None:
    for digit in range(10):
        text = GOOD.replace(b"area", b"area_" + b"%d" % digit * 30)
        assert not worth_repeating(SyntaxTree.parse(text, "python"), text, (0, len(text))), digit


def test_only_the_window_counts() -> None:
    text = GOOD + b"def broken(((:\n"
    assert worth_repeating(SyntaxTree.parse(text, "python"), text, (0, len(GOOD) - 1))
