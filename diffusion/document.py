"""Reading a document for the command line, and turning LINE:COL into a byte offset.

Invariants: what comes back is valid UTF-8 without NUL bytes and no longer than `MAX_BYTES`;
everything else is a `DocumentError` that names the file and the fix. Lines end at "\\n",
"\\r\\n" or a lone "\\r", as in the language server protocol (a form feed ends no line). A line
counts from 1, a column from 0 and in characters (code points). A byte order mark at the start
belongs to no line, as editors hide it: no position lies before it.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from diffusion.errors import DiffillError

MAX_BYTES = 5 * 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
_LONE_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


class DocumentError(DiffillError):
    """A file cannot be read as text, or a position lies outside it."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place as people write it: `line` from 1, `column` from 0 in characters."""

    line: int
    column: int


def parse_position(text: str) -> Position:
    """LINE:COL, as in `12:4`."""
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text.strip())
    if match is None:
        raise DocumentError(
            f"{text!r} is no position",
            fix="write LINE:COL, the line counted from 1, the column from 0, such as 12:4",
        )
    return Position(int(match[1]), int(match[2]))


def read_document(path: Path) -> bytes:
    """The bytes of a text file, checked to be text.

    Raises:
        DocumentError: no such file, not a file, unreadable, too long, binary, or not UTF-8.
    """
    try:
        if not path.exists():
            raise DocumentError(f"no file {path}", fix="check the path")
        if not path.is_file():
            raise DocumentError(f"{path} is not a file", fix="name a text file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DocumentError(
                f"{path} has {size / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:.1f} MB allowed",
                fix="cut the part around the hole into a file of its own",
            )
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(
            f"cannot read {path}: {error.strerror or error}", fix="check its permissions"
        ) from error
    nul = data.find(b"\0")
    if nul >= 0:
        raise DocumentError(
            f"{path} is binary (NUL byte at offset {nul})", fix="name a text file in UTF-8"
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        if _LONE_SURROGATE.match(data, error.start):
            raise DocumentError(
                f"{path} has a lone surrogate at offset {error.start}, which UTF-8 does not allow",
                fix="remove it; an editor can save the file as UTF-8 again",
            ) from error
        raise DocumentError(
            f"{path} is not UTF-8 (byte 0x{data[error.start]:02x} at offset {error.start})",
            fix="convert it first, for example with iconv -t UTF-8",
        ) from error
    return data


def line_spans(data: bytes) -> list[tuple[int, int]]:
    """The byte range of every line, without its line end. An empty document has one line."""
    spans = []
    start = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
    for match in _LINE_END.finditer(data):
        spans.append((start, match.start()))
        start = match.end()
    spans.append((start, len(data)))
    return spans


def offset_of(data: bytes, position: Position, *, name: str = "the document") -> int:
    """The byte offset of a position in UTF-8 text.

    Raises:
        DocumentError: the position lies outside; the message gives the valid range.
    """
    spans = line_spans(data)
    if not 1 <= position.line <= len(spans):
        raise DocumentError(
            f"line {position.line} lies outside {name}", fix=f"lines run from 1 to {len(spans)}"
        )
    start, end = spans[position.line - 1]
    line = data[start:end].decode("utf-8")
    if position.column > len(line):
        raise DocumentError(
            f"column {position.column} lies outside line {position.line} of {name}",
            fix=f"its columns run from 0 to {len(line)}",
        )
    return start + len(line[: position.column].encode("utf-8"))


def range_of(data: bytes, text: str, *, name: str = "the document") -> tuple[int, int]:
    """The byte range of L:C-L:C, as in `3:4-3:9`. Raises DocumentError as `offset_of` does."""
    begin, dash, end = text.partition("-")
    if not dash:
        raise DocumentError(f"{text!r} is no range", fix="write L:C-L:C, such as 3:4-3:9")
    start, stop = (offset_of(data, parse_position(part), name=name) for part in (begin, end))
    if start > stop:
        raise DocumentError(f"{text} ends before it begins", fix="give the earlier place first")
    return start, stop
