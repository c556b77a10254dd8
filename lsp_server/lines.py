"""Where the lines of a document begin, as byte offsets.

Invariants: only `\n`, `\r\n` and `\r` end a line (form feed, U+0085 and U+2028 do not, unlike
`str.splitlines`); a document has one line more than it has line ends, so the empty document
has one line; an index never changes, `edit` returns a new one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class LineIndex:
    """Byte offsets of the line starts of one document of `size` bytes; `starts[0] == 0`."""

    starts: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, data: bytes) -> LineIndex:
        return cls((0, *(match.end() for match in _LINE_END.finditer(data))), len(data))

    @property
    def count(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """The line that holds a byte offset; an offset past the end is on the last line."""
        return max(bisect_right(self.starts, offset) - 1, 0)

    def span(self, line: int, data: bytes) -> tuple[int, int]:
        """The byte range of a line without its line end.

        Raises IndexError when there is no such line.
        """
        if not 0 <= line < len(self.starts):
            raise IndexError(f"line {line} of a document with {len(self.starts)} lines")
        start = self.starts[line]
        if line + 1 == len(self.starts):
            return start, self.size
        end = self.starts[line + 1]
        return start, end - (2 if data[end - 2 : end] == b"\r\n" else 1)

    def edit(self, start: int, old_end: int, new_end: int, new_data: bytes) -> LineIndex:
        """The index after bytes [start, old_end) became new_data[start:new_end].

        Only the touched lines are read again. One byte on either side is read too, since an
        edit can join or part the two halves of a `\r\n`.
        """
        shift = new_end - old_end
        first = self.line_at(max(start - 1, 0))
        last = self.line_at(min(old_end + 1, self.size))
        stop = self.starts[last + 1] + shift if last + 1 < len(self.starts) else len(new_data)
        origin = self.starts[first]
        # A line end may be cut in two by `stop` only if the old document ended a line there,
        # which the byte after `old_end` rules out; so the region is read on its own.
        found = (match.end() for match in _LINE_END.finditer(new_data, origin, stop))
        # An end at `stop` starts the first untouched line, which is already in the tail.
        keep_end = last + 1 == len(self.starts)
        middle = tuple(end for end in found if end < stop or keep_end)
        tail = self.starts[last + 1 :]
        if shift:
            tail = tuple(value + shift for value in tail)
        return LineIndex((*self.starts[: first + 1], *middle, *tail), len(new_data))
