"""Versions of a large document that come one after the other, each parsed from the one before.

A whole parse of some thousand lines takes longer than the model. Whoever types changes a few bytes,
and tree-sitter parses again what these touch, if it knows the tree before and where it changed;
that is found by comparing the two texts. In a document that is broken, the errors may then lie
elsewhere than a whole parse would put them, so it is for requests in haste, and for large documents
only.

Invariants: the tree is that of the text that is given; of small documents nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from diffusion.text import languages
from diffusion.text.syntax import OldTree, SyntaxTree

LARGE_BYTES: Final = 1 << 16
"""Below, a whole parse takes some 20 ms at most."""


class Versions:
    """The version that was parsed last. Not for several threads."""

    def __init__(self) -> None:
        self._last: SyntaxTree | None = None

    def parse(self, data: bytes, language: str, *, budget_ms: float | None = None) -> SyntaxTree:
        """As `SyntaxTree.parse`."""
        if len(data) < LARGE_BYTES:
            return SyntaxTree.parse(data, language, budget_ms=budget_ms)
        old = self._old(data, languages.canonical(language))
        tree = SyntaxTree.parse(data, language, budget_ms=budget_ms, old=old)
        self._last = tree if tree.parsed else None
        return tree

    def _old(self, data: bytes, language: str) -> OldTree | None:
        last = self._last
        old = None if last is None or last.language != language else last.old()
        if last is None or old is None:
            return None
        start, tail = unchanged(last.data, data)
        if 2 * (start + tail) < len(data):
            return None  # another document
        return old.edit(last.data, start, len(last.data) - tail, len(data) - tail, data)


def unchanged(one: bytes, other: bytes) -> tuple[int, int]:
    """How many bytes two texts share at the start, and of the rest at the end."""
    shorter = min(len(one), len(other))
    start = _most(shorter, lambda low, high: one[low:high] == other[low:high])
    tail = _most(
        shorter - start,
        lambda low, high: (
            one[len(one) - high : len(one) - low] == other[len(other) - high : len(other) - low]
        ),
    )
    return start, tail


def _most(limit: int, same: Callable[[int, int], bool]) -> int:
    """The largest n up to `limit` for which [0, n) is the same in both; by bisection."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low
