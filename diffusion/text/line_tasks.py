"""What else is a hole: lines between two blocks, and a body from the comment above it.

Job: a place in a document -> a `LineTask`: the hole that is to be filled with some lines, the
document as the model is to see it, and what stands around the fill when it is put into the
document as it is.

Invariants: a fill changes bytes `[start, end)` of the document that was given and nothing else; a
comment or docstring is never part of a hole.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, replace

from diffusion.errors import HoleError
from diffusion.text.enclosure import prose_at
from diffusion.text.line_ends import line_end_of
from diffusion.text.syntax import SyntaxTree

_PLACEHOLDER = re.compile(
    rb"[ \t]*(?:\r?\n[ \t]*)+(?P<body>pass|\.\.\.|___|raise NotImplementedError(?:\([^)\n]*\))?"
    rb"|(?:todo|unimplemented)!\(\);?)[ \t]*(?=\r?\n|\Z)"
)
_EMPTY_BODY = re.compile(  # what stands on a line is bounded: a line of data would take minutes
    rb"\r?\n[^\n{}]{0,300}\S[^\n{}]{0,300}(?:\n[^\n{}]{0,300}\S)?\{(?P<body>[ \t\r\n]*)\}"
)
_HEAD = re.compile(rb"\r?\n[ \t]*(?:async\s+)?(?:def|class)\b[^\n]*:[ \t]*(?=\r?\n)")
_NEXT_COMMENT = re.compile(rb"\r?\n[ \t]*(?:#|//)[^\n]*")
_COMMENT_LINE = re.compile(rb"[ \t]*(?:#|//|/\*|\*)")


@dataclass(frozen=True, slots=True)
class LineTask:
    """Fill `hole` of `text`: `before + fill + after` then replaces `[start, end)`."""

    text: bytes
    hole: tuple[int, int]
    start: int
    end: int
    before: str = ""
    after: str = ""
    code: bool = False
    """Whether a fill of nothing but comments is none."""


def bridge_task(data: bytes, at: int) -> LineTask:
    """Lines at byte `at`: in a blank line, before the line that `at` begins, else after its line.

    Raises HoleError for a place outside the document.
    """
    if not 0 <= at <= len(data):
        raise HoleError(
            f"byte {at} lies outside the document of {len(data)}", fix="give a place inside it"
        )
    mark = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0  # nothing comes before it
    at = max(at, mark)
    begin = data.rfind(b"\n", 0, at) + 1 or mark
    stop = data.find(b"\n", at)
    stop = len(data) if stop < 0 else stop - (data[stop - 1 : stop] == b"\r")
    if not data[begin:stop].strip():
        return LineTask(data, (begin, stop), begin, stop)
    new = line_end_of(data)
    if not data[begin:at].strip():
        text = data[:begin] + new + data[begin:]
        return LineTask(text, (begin, begin), begin, begin, after=new.decode())
    return _line_after(data, stop)


def comment_task(tree: SyntaxTree, data: bytes, at: int) -> LineTask:
    """The body that the comment or docstring at byte `at` asks for.

    A placeholder below it (`pass`, `...`, `___`, `todo!()`, an empty pair of braces) is replaced,
    also below the head of the definition that follows the comment; else lines are added after it.
    Raises HoleError where there is no comment.
    """
    if not 0 <= at <= len(data):
        raise HoleError(
            f"byte {at} lies outside the document of {len(data)}", fix="give a place inside it"
        )
    return replace(_body(data, _comment_end(tree, data, at)), code=True)


def _body(data: bytes, end: int) -> LineTask:
    """The body below a comment that ends at byte `end`."""
    head = _HEAD.match(data, end)
    for place in (end, head.end() if head else end):
        found = _PLACEHOLDER.match(data, place)
        if found is not None:
            start, stop = found.span("body")
            return LineTask(data, (start, stop), start, stop)
    braces = _EMPTY_BODY.match(data, end)
    if braces is not None:
        start, stop = braces.span("body")
        new = line_end_of(data)
        if new in braces["body"]:
            return _line_after(data, start)
        text = data[:start] + new + new + data[stop:]
        hole = start + len(new)
        return LineTask(text, (hole, hole), start, stop, new.decode(), new.decode())
    return _line_after(data, head.end() if head else end)


def _line_after(data: bytes, stop: int) -> LineTask:
    new = line_end_of(data)
    hole = stop + len(new)
    return LineTask(data[:stop] + new + data[stop:], (hole, hole), stop, stop, before=new.decode())


def _comment_end(tree: SyntaxTree, data: bytes, at: int) -> int:
    """Where the comment or docstring at `at` ends, with the comment lines right below it."""
    begin = data.rfind(b"\n", 0, at) + 1
    first = begin + len(data[begin:]) - len(data[begin:].lstrip(b" \t"))
    for offset in (at, first, max(first, at - 1)):
        for node in tree.path(offset):
            prose = "comment" in node.type or (
                node.type == "string"
                and node.parent is not None
                and node.parent.type == "expression_statement"
            )
            if prose:
                return _below(data, node.end_byte)
    if prose_at(tree, data, at) == "comment" or _COMMENT_LINE.match(data, begin):
        stop = data.find(b"\n", at)
        return _below(data, len(data) if stop < 0 else stop)
    raise HoleError(
        "there is no comment or docstring here", fix="put the cursor into the one to work from"
    )


def _below(data: bytes, end: int) -> int:
    end -= data[end - 1 : end] == b"\n"  # some grammars count the line end in, or half of it
    end -= data[end - 1 : end] == b"\r"
    while (match := _NEXT_COMMENT.match(data, end)) is not None:
        end = match.end() - (data[match.end() - 1 : match.end()] == b"\r")
    return end
