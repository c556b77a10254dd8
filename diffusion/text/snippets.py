"""Windows of other texts that look most like the surroundings of a hole.

Job: cut texts into windows of lines that overlap, and rank them by the Jaccard similarity of the
sets of words in them and around the hole. That is how RepoCoder retrieves with its sparse
retriever (Zhang et al., 2023, arXiv:2303.12570, windows of 20 lines); here both sides of the hole
are compared.

Invariants: the hole's own line takes no part, so typing on it chooses nothing else; of two windows
of one text that share lines the likelier one is taken; deterministic; bytes of any kind are
welcome. The words of a text are looked up once, while it is among the last `_KEPT` asked about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

WINDOW_LINES: Final = 20
_STRIDE: Final = 10
_ABOVE: Final = 12
_BELOW: Final = 8
_MOST_BYTES: Final = 64_000
"""Bytes of one text that are cut into windows."""
_LONGEST_LINE: Final = 200
_LEAST_LIKENESS: Final = 0.05
_KEPT: Final = 32
_WORD: Final = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")

Words = frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Snippet:
    """Some lines of text `source` (its place in the order given), and their likeness, 0 to 1."""

    text: bytes
    source: int
    likeness: float


@dataclass(frozen=True, slots=True)
class _Window:
    first_line: int
    text: bytes
    words: Words


def around(data: bytes, cursor: int) -> tuple[bytes, bytes]:
    """The lines above and below the cursor's own that others are compared with."""
    line_start = data.rfind(b"\n", 0, cursor) + 1
    line_end = data.find(b"\n", cursor)
    above = data[max(0, line_start - _ABOVE * _LONGEST_LINE) : line_start]
    below = b"" if line_end < 0 else data[line_end + 1 : line_end + 1 + _BELOW * _LONGEST_LINE]
    return (
        b"".join(above.splitlines(keepends=True)[-_ABOVE:]),
        b"".join(below.splitlines(keepends=True)[:_BELOW]),
    )


def similar(surroundings: bytes, texts: Sequence[bytes], most_bytes: int) -> list[Snippet]:
    """The windows most like `surroundings` that fit into `most_bytes`, the likeliest first."""
    query = frozenset(_WORD.findall(surroundings))
    if not query:
        return []
    ranked = sorted(
        (
            (-_jaccard(query, window.words), source, window.first_line, window)
            for source, text in enumerate(texts)
            for window in _windows(text)
        ),
        key=lambda item: item[:3],
    )
    found: list[Snippet] = []
    taken: set[tuple[int, int]] = set()
    for unlikeness, source, first, window in ranked:
        if -unlikeness < _LEAST_LIKENESS:
            break
        lines = {(source, n) for n in range(first, first + WINDOW_LINES)}
        if len(window.text) <= most_bytes and not lines & taken:
            taken |= lines
            most_bytes -= len(window.text)
            found.append(Snippet(window.text, source, -unlikeness))
    return found


def _jaccard(a: Words, b: Words) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


@lru_cache(maxsize=_KEPT)
def _windows(text: bytes) -> tuple[_Window, ...]:
    lines = [line[:_LONGEST_LINE] for line in text[:_MOST_BYTES].splitlines()]
    found = []
    for first in range(0, max(1, len(lines) - _STRIDE), _STRIDE):
        window = b"\n".join(lines[first : first + WINDOW_LINES]) + b"\n"
        words = frozenset(_WORD.findall(window))
        if words:
            found.append(_Window(first, window, words))
    return tuple(found)
