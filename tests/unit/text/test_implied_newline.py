"""Where what is inserted before a line is lines of its own. `¦` is the cursor."""

from __future__ import annotations

import pytest

from diffusion.text.implied_newline import implied_newline


@pytest.mark.parametrize(
    ("drawn", "added"),
    [
        ("a = 1\n¦b = 2\n", "\n"),
        ("a = 1\r\n¦b = 2\r\n", "\r\n"),
        ("¦a = 1", "\n"),
        ("if a:\n    b = 1\n¦    c = 2\n", "\n"),
        ("if a:\n    b = 1\n¦c = 2\n", ""),  # perhaps the rest of a line
        ("f(\n    a,\n¦)\n", "\n"),  # a bracket is none
        ("f = {\r\n\ta,\r\n¦}\r\n", "\r\n"),
        ("x = [\n    a,\n\n¦]", "\n"),
        ("a = ¦1\n", ""),
        ("a = 1\n ¦b = 2\n", ""),
        ("a = 1\n¦\nb = 2\n", ""),
        ("a = 1\r\n¦\r\nb = 2", ""),
        ("a = 1\n¦", ""),
        ("¦", ""),
    ],
)
def test_only_before_a_line_with_code_and_as_the_document_ends_its_lines(
    drawn: str, added: str
) -> None:
    before, after = drawn.encode().split("¦".encode())
    assert implied_newline(before + after, len(before)) == added.encode()
