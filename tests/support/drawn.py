"""Documents drawn in text: `‸` is the cursor, `⟦` and `⟧` enclose a hole.

A case file is a list of cases, each a header line `=== words: name` and a body up to the next
header. The line break before the next header is not part of the body. Marks are removed from
the bytes that a test gets; offsets are byte offsets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CURSOR = "‸"
OPEN, CLOSE = "⟦", "⟧"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A document without its marks, and where they stood."""

    data: bytes
    cursor: int | None
    holes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a file: the words before the colon, the name after it, the body."""

    words: tuple[str, ...]
    name: str
    body: str
    line: int


def read_drawn(text: str) -> Drawn:
    """Take the marks out of a drawn document. Raises ValueError for marks that do not pair."""
    data = bytearray()
    cursor: int | None = None
    opened: int | None = None
    holes = []
    for character in text:
        if character == CURSOR:
            if cursor is not None:
                raise ValueError("a drawn document has one cursor at most")
            cursor = len(data)
        elif character == OPEN:
            if opened is not None:
                raise ValueError("a hole is opened inside a hole")
            opened = len(data)
        elif character == CLOSE:
            if opened is None:
                raise ValueError("a hole is closed that was not opened")
            holes.append((opened, len(data)))
            opened = None
        else:
            data += character.encode()
    if opened is not None:
        raise ValueError("a hole is not closed")
    return Drawn(bytes(data), cursor, tuple(holes))


def draw_holes(data: bytes, holes: Iterable[tuple[int, int]]) -> str:
    """Mark holes (sorted, disjoint byte ranges) in a document."""
    parts = []
    at = 0
    for start, end in holes:
        parts += [data[at:start].decode(), OPEN, data[start:end].decode(), CLOSE]
        at = end
    return "".join([*parts, data[at:].decode()])


def read_cases(path: Path) -> list[Case]:
    """All cases of a file. Raises ValueError for text before the first header."""
    cases: list[Case] = []
    body: list[str] = []
    header: tuple[tuple[str, ...], str, int] | None = None

    def finish() -> None:
        if header is not None:
            cases.append(Case(header[0], header[1], "\n".join(body), header[2]))

    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("=== "):
            finish()
            words, _, name = line[4:].partition(": ")
            header, body = (tuple(words.split()), name, number), []
        elif header is not None:
            body.append(line)
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"{path.name}:{number}: text before the first `===` header")
    if body and body[-1] == "":
        body.pop()
    finish()
    return cases
