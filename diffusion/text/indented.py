"""Blocks made by indentation alone, as far as the grammar does not see what is wrong with them.

Tree-sitter's grammar of Python takes a head without a body, and a line that is deeper than the
one above for no reason. Python takes neither.

Invariants: only what is in the range that is asked for counts, and the code right around it; a
tree without nodes and other languages have no such faults. What lies before the range costs
nothing.
"""

from __future__ import annotations

import tree_sitter

from diffusion.text.enclosure import last_code_byte, next_code_byte
from diffusion.text.syntax import SyntaxTree, enter


def faults(tree: SyntaxTree, start: int, end: int) -> int:
    """Heads without a body in or above bytes [start, end], and lines in or below them that are off.

    A head behind which the document ends may still get its body. A line as deep as `start` is
    where whoever indented that one wants it.
    """
    cursor = tree.cursor()
    if cursor is None or tree.language != "python":
        return 0
    below = next_code_byte(tree.data, end)
    return _Asked(tree.data, start, end, below).count(cursor, 0)


class _Asked:
    """A range, and where the code below it begins; -1 where there is none."""

    def __init__(self, data: bytes, start: int, end: int, below: int) -> None:
        self.data, self.start, self.end, self.below = data, start, end, below
        self.above = last_code_byte(data, start) + 1
        self.column = start - (data.rfind(b"\n", 0, start) + 1)

    def count(self, cursor: tree_sitter.TreeCursor, column: int | None) -> int:
        """The faults in the node at the cursor, whose children begin at `column`, if any does."""
        found = 0
        if not enter(cursor, self.above - 1):
            return 0
        more = True
        while more and (node := cursor.node) is not None:
            if node.start_byte > max(self.end, self.below):
                break
            found += self._off(node, column) + self._empty(node)
            if node.type != "string":
                inner = node.start_point.column if node.type == "block" else None
                found += self.count(cursor, inner)
            more = cursor.goto_next_sibling()
        cursor.goto_parent()
        return found

    def _off(self, node: tree_sitter.Node, column: int | None) -> bool:
        if column is None or node.is_extra or node.is_error or node.start_byte < self.start:
            return False
        at = node.start_point.column
        line = self.data[node.start_byte - at : node.start_byte]
        meant = at == self.column and node.start_byte <= self.end
        return not line.strip() and at != column and not meant

    def _empty(self, node: tree_sitter.Node) -> bool:
        at_end = self.below < 0
        inside = self.above <= node.start_byte <= self.end
        return node.type == "block" and not node.child_count and inside and not at_end
