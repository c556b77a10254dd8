"""How long the texts of one request may be looked at for syntax errors.

In a sound document a text for a hole is parsed in a millisecond. In a big one that is broken (a
string is being opened above) every parse is one of the whole rest, and there may be ten texts.

Invariants: no parse takes more than `LONGEST_MS`, all of a request together no more than
`budget_ms`, but for what tree-sitter does between two looks at the clock.
"""

from __future__ import annotations

import time

from diffusion.text.syntax import SyntaxTree

BUDGET_MS = 250.0
LONGEST_MS = 100.0


class ParseAllowance:
    """The time that is left to one request. Not for several threads."""

    def __init__(self, budget_ms: float = BUDGET_MS) -> None:
        self.left_ms = budget_ms

    @property
    def over(self) -> bool:
        """Whether nothing can be looked at any more."""
        return self.left_ms <= 0

    def edited(self, tree: SyntaxTree, start: int, end: int, text: bytes) -> SyntaxTree:
        """The tree with `text` at bytes [start, end); one without nodes if it takes too long."""
        data = tree.data[:start] + text + tree.data[end:]
        if self.over or not tree.parsed:
            return SyntaxTree.unparsed(data, tree.grammar)
        budget_ms = min(self.left_ms, LONGEST_MS)
        begun = time.monotonic()
        after = tree.edit(start, end, start + len(text), data, budget_ms=budget_ms)
        self.left_ms -= (time.monotonic() - begun) * 1000
        return after
