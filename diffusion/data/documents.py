"""Turns the bytes of one kept file into training documents.

A licence header is cut off for seven files in eight (chosen by a hash of the path), otherwise the
same paragraphs would be a tenth of the corpus. A long file becomes several documents, each at most
64 KiB, cut where a file might end: at a blank line before one at the left edge. Joined, the
documents of a file give back the file, less its licence header.
"""

from __future__ import annotations

import hashlib
import re

MAX_DOCUMENT_BYTES = 64 * 1024
_LICENCE = re.compile(rb"copyright|licen[cs]e|\(c\)|spdx|all rights reserved", re.IGNORECASE)
_BLOCK = re.compile(rb"\s*/\*.*?\*/[ \t]*\n?", re.DOTALL)
_LINES = re.compile(rb"(?:[ \t]*(?:#(?!!|include|if|define|pragma|\[)|//)[^\n]*\n|[ \t]*\r?\n)+")
_FILE_MIGHT_END = re.compile(rb"\n\r?\n(?=[^ \t\r\n)\]}])")
_KEEP_ONE_IN = 8
_MAX_HEADER_BYTES = 6000


def without_licence_header(data: bytes) -> bytes:
    """`data` without a leading comment that speaks of a licence; a shebang line stays."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    first = b""
    if data.startswith(b"#!"):
        first, newline, data = data.partition(b"\n")
        first += newline
    while True:
        match = _BLOCK.match(data) or _LINES.match(data)
        if match is None or not match[0] or match.end() > _MAX_HEADER_BYTES:
            return first + data
        if not _LICENCE.search(match[0]):
            return first + (data[match.end() :] if not match[0].strip() else data)
        data = data[match.end() :].lstrip(b"\r\n")


def keeps_header(path: str) -> bool:
    """Whether this path is among the one in eight whose licence header stays."""
    name = path.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(name, digest_size=2).digest()[0] % _KEEP_ONE_IN == 0


def split_long(data: bytes, limit: int = MAX_DOCUMENT_BYTES) -> list[bytes]:
    """Pieces of at most `limit` bytes, cut as late as may be after a blank line, else a newline.

    A blank line is taken where the next one begins at the left edge, and with no closing bracket;
    where there is no such line in the second half of a piece, any blank one.
    """
    pieces = []
    while len(data) > limit:
        ends = [m.end() for m in _FILE_MIGHT_END.finditer(data, limit // 2, limit + 1)]
        cut = ends[-1] if ends else data.rfind(b"\n\n", limit // 2, limit) + 2
        if cut < 2:
            cut = data.rfind(b"\n", 0, limit) + 1
        if cut < 1:
            cut = limit
        pieces.append(data[:cut])
        data = data[cut:]
    pieces.append(data)
    return pieces


def documents_of(path: str, data: bytes) -> list[bytes]:
    """The training documents of one file, in order."""
    if not keeps_header(path):
        data = without_licence_header(data)
    return [piece for piece in split_long(data) if piece.strip()]
