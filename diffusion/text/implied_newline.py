"""The line end that whoever inserts whole lines before a line does not type.

Invariant: what it adds is the document's own kind of line end, and only at the start of a line.
"""

from __future__ import annotations

from diffusion.text.line_ends import line_end_of


def implied_newline(data: bytes, cursor: int) -> bytes:
    """The line end that an insertion before a line needs, or nothing.

    At column 0 of a line with code, what is inserted is whole lines, as when a person opens a line
    there; the model then sees an empty line at the cursor, and candidates end with its line end.
    """
    at_line_start = cursor == 0 or data[cursor - 1 : cursor] == b"\n"
    if cursor >= len(data) or not at_line_start or data[cursor : cursor + 1] in b"\r\n":
        return b""
    before = data[:cursor].rstrip()
    last_line = before[before.rfind(b"\n") + 1 :]
    indented = last_line[:1] in (b" ", b"\t")
    if indented and data[cursor : cursor + 1] not in (b" ", b"\t"):
        # Possibly the rest of a line whose start is missing, rather than a line of its own.
        return b"" if data[cursor : cursor + 1] not in b"}])" else line_end_of(data)
    return line_end_of(data)
