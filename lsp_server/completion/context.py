"""What the filters may know of the text around a hole, gathered once per request.

Only a window of lines is decoded, so the size of the document does not matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from diffusion.text.parse_allowance import ParseAllowance
from lsp_server.document import PARSE_MS, Document, to_text
from lsp_server.settings import Settings

WINDOW_LINES = 40
_INDENT = re.compile(rb"^([ \t]+)\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The neighbourhood of a hole, and the limits that apply there.

    `before` and `after` are the parts of its line left and right of the hole; `preceding` and
    `following` the non-blank lines above (nearest last) and below (nearest first).
    `indent` is None where the document has no single habit. `allowance` is the time in which all
    candidates of an answer are parsed, as the event loop waits for it.
    """

    document: Document
    before: str
    after: str
    preceding: tuple[str, ...]
    following: tuple[str, ...]
    line_end: str
    indent: Literal["tabs", "spaces"] | None
    indent_width: int
    automatic: bool
    max_lines: int
    multiline: bool = True
    check_syntax: bool = True
    allowance: ParseAllowance = field(default_factory=lambda: ParseAllowance(PARSE_MS))


def gather(
    document: Document,
    start: int,
    end: int,
    settings: Settings,
    *,
    automatic: bool,
    multiline: bool = True,
) -> Surroundings:
    """The surroundings of a hole [start, end) that lies on one line."""
    lines, data = document.lines, document.data
    row = lines.line_at(start)
    line_start, line_stop = lines.span(row, data)
    above, below = max(row - WINDOW_LINES, 0), min(row + 1 + WINDOW_LINES, lines.count)
    indent, width = _indent_habit(data[lines.starts[above] : lines.span(below - 1, data)[1]])
    return Surroundings(
        document=document,
        before=to_text(data[line_start:start]),
        after=to_text(data[end:line_stop]),
        preceding=_non_blank(document, range(above, row)),
        following=_non_blank(document, range(row + 1, below)),
        line_end=_line_end(data),
        indent=indent,
        indent_width=width,
        automatic=automatic,
        max_lines=settings.inline.max_lines,
        multiline=multiline,
        check_syntax=settings.syntax.check != "off",
    )


def _non_blank(document: Document, rows: range) -> tuple[str, ...]:
    found = []
    for row in rows:
        start, end = document.lines.span(row, document.data)
        text = to_text(document.data[start:end])
        if text.strip():
            found.append(text)
    return tuple(found)


def _line_end(data: bytes) -> str:
    r"""The line end most lines use; "\n" for a document of one line."""
    pairs = data.count(b"\r\n")
    feeds, returns = data.count(b"\n") - pairs, data.count(b"\r") - pairs
    if pairs > feeds and pairs >= returns:
        return "\r\n"
    return "\r" if returns > feeds else "\n"


def _indent_habit(window: bytes) -> tuple[Literal["tabs", "spaces"] | None, int]:
    indents = _INDENT.findall(window)
    if not indents:
        return None, 4
    if all(indent.startswith(b"\t") for indent in indents):
        return "tabs", 4
    if any(b"\t" in indent for indent in indents):
        return None, 4
    return "spaces", max(min(len(indent) for indent in indents), 2)
