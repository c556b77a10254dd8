"""A crude lossless lexer for any language: the unit that metrics and baselines count in.

It belongs to no model, so that a figure means the same for every filler. Joining the pieces
gives the text back.
"""

from __future__ import annotations

import re

_PIECE = re.compile(r"\r?\n[ \t]*| ?[^\W\d]\w*| ?\d\w*| ?[^\w\s]|[ \t]+|\s|.", re.DOTALL)


def pieces(text: str) -> list[str]:
    """Split into newline-plus-indent, words, numbers, single marks and blanks.

    A word, number or mark takes one preceding space along: `"x = f(1)\\n  y"` becomes
    `["x", " =", " f", "(", "1", ")", "\\n  ", "y"]`.
    """
    return _PIECE.findall(text)


def visible_pieces(text: str) -> list[str]:
    """The pieces that are not blank, without their spaces."""
    return [bare for piece in pieces(text) if (bare := piece.strip())]
