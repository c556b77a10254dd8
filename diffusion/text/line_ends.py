"""Line ends: a document's own kind, and texts of the model with it.

The model reads both kinds and mostly writes newlines alone; whoever takes its text puts it through
`with_line_ends`. Invariant: a document has one kind, that of most of its lines.
"""

from __future__ import annotations


def line_end_of(data: bytes) -> bytes:
    """The document's own kind of line end."""
    return b"\r\n" if data.count(b"\r\n") * 2 > data.count(b"\n") else b"\n"


def with_line_ends(text: bytes, data: bytes) -> bytes:
    """`text` with the line ends of the document `data`, if these are CRLF."""
    if b"\n" not in text or line_end_of(data) == b"\n":
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
