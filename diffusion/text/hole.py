"""The hole: the byte range of a document that is to be filled, and the kinds of holes.

Invariants: `KINDS` is closed, every `Hole.kind` is one of them. A kind says which length is
plausible, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from diffusion.errors import HoleError

KINDS: Final = (
    "arguments",  # everything between a call's empty parentheses
    "parameters",  # the same for a definition
    "element",  # the next member of a list that already has some, or of a literal
    "condition",  # the head of if / while / for / switch / match
    "expression",  # the value after =, return or an operator
    "member",  # the rest of a name after . -> ::
    "statement",  # a blank line among statements
    "block",  # the body of a block that has been opened and is empty
    "import",  # the rest of an import
    "string",  # inside a string
    "comment",  # inside a comment
    "rest_of_line",  # text before the cursor, nothing after it, no better name
    "lines",  # whole lines: before a line of code, or after a finished one
    "inline",  # code on both sides of the cursor, no better name
    "cut",  # the cursor splits a word
)


@dataclass(frozen=True, slots=True)
class Hole:
    """Bytes [start, end) of a document, to be replaced by a candidate."""

    start: int
    end: int
    kind: str

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise HoleError(
                f"a hole cannot cover bytes [{self.start}, {self.end})",
                fix="give byte offsets with 0 <= start <= end",
            )
        if self.kind not in KINDS:
            raise HoleError(
                f"unknown kind of hole {self.kind!r}", fix=f"use one of {', '.join(KINDS)}"
            )
