"""The comment or docstring at a place: what it is, where it begins and where it ends.

Job: a byte of a document -> the `Comment` there, together with the comments on the lines right
below it, which go on with it. The syntax tree decides; where it has errors or there is none, the
marks at the beginning of the line do.

Invariant: only what is a comment in the document's language is one, and a docstring is Python's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import tree_sitter

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.enclosure import prose_at
from diffusion.text.syntax import SyntaxTree

_INDENT = re.compile(rb"[ \t]*")
_HASH, _SLASHES = rb"#", rb"//|/\*"


@dataclass(frozen=True, slots=True)
class Comment:
    """Bytes [start, end), without the line end."""

    start: int
    end: int
    docstring: bool = False


def comment_at(tree: SyntaxTree, data: bytes, at: int) -> Comment:
    """The comment or docstring at byte `at`, or at the beginning of its line when `at` is there.

    Raises HoleError where there is none.
    """
    begin = data.rfind(b"\n", 0, at) + 1 or mark_before(data, at)
    first = indent.end() if (indent := _INDENT.match(data, begin)) else begin
    stop = line_stop(data, at)
    left = len(data[:at].rstrip(b" \t")) if not data[at:stop].strip() else at
    for offset in (max(first, at), max(first, left - 1)):
        for node in tree.path(offset):
            docstring = tree.language == "python" and is_docstring(node)
            if docstring or "comment" in node.type:
                end = _with_those_below(tree, data, node.end_byte)
                return Comment(node.start_byte, end, docstring)
    if not tree.parsed or tree.has_error(begin, stop):
        if prose_at(tree, data, at) == "comment" or _line(tree).match(data, begin):
            return Comment(first, _with_those_below(tree, data, stop))
        if _in_block(tree, data, begin, first):
            close = data.find(b"*/", first)
            return Comment(data.rfind(b"/*", 0, first), stop if close < 0 else close + 2)
    raise HoleError(
        "there is no comment or docstring here", fix="put the cursor into the one to work from"
    )


def is_docstring(node: tree_sitter.Node) -> bool:
    """Whether a node of Python's tree is a string that is a statement, or that statement."""
    if node.type == "string" and node.parent is not None:
        node = node.parent
    strings = [child.type for child in node.named_children[:2]]
    return node.type == "expression_statement" and strings == ["string"]


def line_stop(data: bytes, at: int) -> int:
    """Where the line of byte `at` ends, before its line end."""
    stop = data.find(b"\n", at)
    stop = len(data) if stop < 0 else stop
    return stop - (stop > at and data[stop - 1 : stop] == b"\r")


def marks_of(language: str) -> bytes:
    """A pattern for what begins a comment of a language."""
    if language == languages.TEXT:
        return rb"(?:%b|%b)" % (_HASH, _SLASHES)
    return rb"(?:%b)" % (_HASH if language == "python" else _SLASHES)


def _line(tree: SyntaxTree) -> re.Pattern[bytes]:
    return re.compile(rb"[ \t]*" + marks_of(tree.language))


def _in_block(tree: SyntaxTree, data: bytes, begin: int, first: int) -> bool:
    """Whether a line that begins with a star goes on with a block comment: read without a tree."""
    starred = tree.language != "python" and data[first : first + 1] == b"*"
    return starred and data.rfind(b"/*", 0, begin) > data.rfind(b"*/", 0, begin)


def _with_those_below(tree: SyntaxTree, data: bytes, end: int) -> int:
    """Where a comment ends, with those on the lines right below it."""
    mark = re.compile(rb"\r?\n[ \t]*" + marks_of(tree.language))
    while True:
        end -= data[end - 1 : end] == b"\n"  # some grammars count the line end in, or half of it
        end -= data[end - 1 : end] == b"\r"
        below = mark.match(data, end)
        if below is None:
            return end
        if below[0].endswith(b"/*"):
            close = data.find(b"*/", below.end())
            end = len(data) if close < 0 else close + 2
        else:  # without a look into the tree, which would cost the more the longer the comment is
            end = line_stop(data, below.end())
