"""Many edits of one notification, put into a text at once.

A formatter, several cursors or "replace all" send thousands of edits, each of which refers to the
text that the one before left. To make a document of each would copy all of it as often.

Invariants: the text is what the same edits give one by one (`Document.apply`); an edit costs what
the lines around it are long, not what the document is.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lsp_server.document import to_bytes, to_text

_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_END = re.compile(rb"(?:\r\n|\r|\n)\Z")
Place = tuple[int, int]
"""A line and a column, in the units of the client."""


class Lines:
    """The lines of a text, with their line ends; changed in place.

    `column_bytes`: how many bytes of a line the first so many units take.
    """

    def __init__(self, data: bytes, column_bytes: Callable[[bytes, int], int]) -> None:
        self._lines = _split(data)
        self._column_bytes = column_bytes

    def edit(self, start: Place, end: Place, text: bytes) -> None:
        """The text between two places becomes `text`; in whatever order the places are."""
        first, last = sorted((self._at(start), self._at(end)))
        # With a line on either side: an edit can join or part the halves of a line end.
        low, high = max(0, first[0] - 1), min(len(self._lines), last[0] + 2)
        before = b"".join(self._lines[low : first[0]]) + self._lines[first[0]][: first[1]]
        after = self._lines[last[0]][last[1] :] + b"".join(self._lines[last[0] + 1 : high])
        piece = before + text + after
        if b"\xed" in piece:  # halves of a pair of surrogates may have met
            piece = to_bytes(to_text(piece))
        found = _split(piece)
        # A line that others follow has its end, after which nothing begins here.
        self._lines[low:high] = found[:-1] if high < len(self._lines) else found

    def data(self) -> bytes:
        """The whole text."""
        return b"".join(self._lines)

    def _at(self, place: Place) -> Place:
        """A place as line and byte; past the end of a line its end, past the last line the end."""
        line, column = place
        if line >= len(self._lines):
            return len(self._lines) - 1, len(self._lines[-1])
        whole = self._lines[line]
        return line, self._column_bytes(_END.sub(b"", whole), column)


def _split(data: bytes) -> list[bytes]:
    """Lines with their ends; the last one has none, and is empty after a line end."""
    found = _LINES.findall(data)
    if not found or _END.search(found[-1]):
        found.append(b"")
    return found
