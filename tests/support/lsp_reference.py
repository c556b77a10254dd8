"""A slow, obvious editor: applies LSP edits to a string by counting units from the start.

It shares no code with `lsp_server.convert`: lines are found with one regular expression over
the string, columns by encoding prefixes.
"""

from __future__ import annotations

import re

from lsprotocol import types

_UNIT = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


def lines_of(text: str) -> list[tuple[int, int]]:
    """(start, end without the line end) of every line, in characters."""
    spans, start = [], 0
    for match in re.finditer("\r\n|\r|\n", text):
        spans.append((start, match.start()))
        start = match.end()
    return [*spans, (start, len(text))]


def width(text: str, encoding: str) -> int:
    """Length in units."""
    codec, size = _UNIT[encoding]
    return len(text.encode(codec, "surrogatepass")) // size


def index_of(text: str, position: types.Position, encoding: str) -> int:
    """The character index of a position."""
    spans = lines_of(text)
    if position.line >= len(spans):
        return len(text)
    start, end = spans[position.line]
    index = start
    while index < end and width(text[start : index + 1], encoding) <= position.character:
        index += 1
    return index


def position_of(text: str, index: int, encoding: str) -> types.Position:
    """The position of a character index that is not inside a line end."""
    for line, (start, end) in enumerate(lines_of(text)):
        if start <= index <= end:
            return types.Position(line, width(text[start:index], encoding))
    raise AssertionError(f"index {index} lies inside a line end")


def apply(text: str, where: types.Range, new: str, encoding: str) -> str:
    """The text after one text edit."""
    start = index_of(text, where.start, encoding)
    end = index_of(text, where.end, encoding)
    return text[:start] + new + text[end:]
