"""What else is a hole: lines between two blocks, and a body from the comment above it.

Job: a place in a document -> a `LineTask`: the hole that is to be filled with some lines, the
document as the model is to see it, and what stands around the fill when it is put into the
document as it is. What a comment asks for is read off the syntax tree (`comments`, `bodies`), and
off the lines only where there is none or it has an error.

Invariants: a fill changes bytes `[start, end)` of the document that was given and nothing else; a
comment or docstring is never part of a hole.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass, replace

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.bodies import PLACEHOLDER, Room, room_after, room_below, room_between
from diffusion.text.comments import comment_at, line_stop
from diffusion.text.line_ends import line_end_of
from diffusion.text.syntax import SyntaxTree

# Without a tree. What is looked for is bounded: a line of data would take minutes.
_PLACEHOLDER = re.compile(
    rb"[ \t]*(?:\r?\n[ \t]*)+(?P<said>%b)[ \t]*(?=\r?\n|\Z)" % PLACEHOLDER.pattern
)
_BRACES = re.compile(  # below a head, and lines above it that are attributes or its beginning
    rb"\r?\n(?:[^\n{}();=]{0,200}\n){0,3}[^\n{}();=]{0,300}\([^{}();]{0,600}\)[^\n{}();=]{0,100}"
    rb"\s{0,100}\{(?P<body>\s{0,300}(?P<said>%b)?\s{0,300})\}" % PLACEHOLDER.pattern
)
_HEAD = re.compile(rb"\r?\n[ \t]*(?:async\s+)?(?:def|class)\b[^\n]*:[ \t]*(?=\r?\n)")


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
    return _in_room(data, room_after(data, stop))


def comment_task(tree: SyntaxTree, data: bytes, at: int) -> LineTask:
    """The body that the comment or docstring at byte `at` asks for.

    A placeholder below it (`pass`, `...`, `___`, `todo!()`, an empty pair of braces) is replaced,
    also as the body of the definition right below the comment; a body that says something is
    begun with the lines; where there is none, they come below the comment. Raises HoleError where
    there is no comment.
    """
    if not 0 <= at <= len(data):
        raise HoleError(
            f"byte {at} lies outside the document of {len(data)}", fix="give a place inside it"
        )
    comment = comment_at(tree, data, at)
    room = room_below(tree, data, comment)
    if room is None and (not tree.parsed or tree.has_error(comment.end, _below(data, comment.end))):
        room = _by_text(data, comment.end, tree.language)
    room = room or room_after(data, _line_end(tree, data, comment.end))
    return replace(_in_room(data, room), code=True)


def _in_room(data: bytes, room: Room) -> LineTask:
    start, end = room.start, room.end
    if not room.before + room.after:
        return LineTask(data, (start, end), start, end)
    text = data[:start] + room.before + room.after + data[end:]
    hole = start + len(room.before)
    before, after = room.before.decode(), room.after.decode()
    return LineTask(text, (hole, hole), start, end, before, after)


def _by_text(data: bytes, end: int, language: str) -> Room | None:
    """The room below a comment that ends at byte `end`, where no tree shows it."""
    head = _HEAD.match(data, end) if language in ("python", languages.TEXT) else None
    for place in (end, head.end() if head else end):
        found = _PLACEHOLDER.match(data, place)
        if found is not None:
            return Room(*found.span("said"))
    braces = _BRACES.match(data, end) if language != "python" else None
    if braces is not None:
        said = braces["said"] is not None
        return Room(*braces.span("said")) if said else room_between(data, *braces.span("body"))
    return room_after(data, head.end()) if head else None


def _below(data: bytes, end: int) -> int:
    """The first byte behind `end` that is not blank."""
    return end + len(data[end:]) - len(data[end:].lstrip())


def _line_end(tree: SyntaxTree, data: bytes, at: int) -> int:
    """Where the line of byte `at` ends, behind the string or comment that goes on after it."""
    stop = line_stop(data, at)
    while True:
        prose = [
            node.end_byte for node in tree.path(stop)
            if node.start_byte < stop and data[stop : node.end_byte].strip()
            and languages.kind_of_type(node.type) in ("string", "comment")
        ]  # fmt: skip
        if not prose:
            return stop
        stop = line_stop(data, prose[0])
