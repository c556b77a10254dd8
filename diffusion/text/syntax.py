"""Syntax trees over bytes: parse, incremental edit, errors, and the path to an offset.

Invariants: offsets are byte offsets; any bytes can be parsed (NUL, broken UTF-8, CRLF); a
document without a grammar, or over `MAX_PARSED_BYTES`, has a tree with no nodes (`root` is
None, no errors), so callers need no second case. The same tree without nodes comes back when
a parse exceeds its budget; without a budget the result depends on the bytes alone. A
`SyntaxTree` never changes: `edit` returns a new one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import tree_sitter

from diffusion.text import languages

MAX_PARSED_BYTES: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 16

_local = threading.local()


def _parser(grammar: str) -> tree_sitter.Parser | None:
    """This thread's parser for a grammar: building one per document costs more than a parse."""
    parsers: dict[str, tree_sitter.Parser | None] | None = getattr(_local, "parsers", None)
    if parsers is None:
        parsers = _local.parsers = {}
    if grammar not in parsers:
        parsers[grammar] = languages.parser(grammar)
    return parsers[grammar]


def _point(data: bytes, offset: int) -> tuple[int, int]:
    """Row and byte column of an offset, as tree-sitter counts them."""
    return data.count(b"\n", 0, offset), offset - (data.rfind(b"\n", 0, offset) + 1)


@dataclass(frozen=True, slots=True)
class OldTree:
    """The tree of an earlier version, moved along with the edits since, but not parsed again.

    From it the next version is parsed in the time that the changed part takes, by the same grammar.
    """

    tree: tree_sitter.Tree
    grammar: str

    def edit(
        self, data: bytes, start: int, old_end: int, new_end: int, new_data: bytes
    ) -> OldTree:
        """Bytes [start, old_end) of `data` have become new_data[start:new_end]."""
        tree = self.tree.copy()
        tree.edit(
            start,
            old_end,
            new_end,
            _point(data, start),
            _point(data, old_end),
            _point(new_data, new_end),
        )
        return OldTree(tree, self.grammar)


class SyntaxTree:
    """The tree of one version of a document."""

    __slots__ = ("_errors", "_tree", "data", "grammar", "language")

    def __init__(
        self, data: bytes, language: str, grammar: str, tree: tree_sitter.Tree | None
    ) -> None:
        self.data = data
        self.language = language
        self.grammar = grammar
        self._tree = tree
        self._errors: int | None = None

    @classmethod
    def parse(
        cls,
        data: bytes,
        language: str,
        *,
        budget_ms: float | None = None,
        old: OldTree | None = None,
    ) -> SyntaxTree:
        """Parse a document. `language` is a name or an alias ("tsx" picks the tsx grammar).

        Source code parses at megabytes per second, but bytes that are no code at all may take
        seconds: whoever must answer in time gives a budget. `old`: what is known of an earlier
        version, told of every edit since.

        "typescript" may be what somebody calls a tsx file: one that has elements and errors is
        parsed as tsx, too, and the tree with fewer errors taken.
        """
        grammar = languages.grammar_name(language) if old is None else old.grammar
        tree = _parse(data, grammar, None if old is None else old.tree, budget_ms)
        found = cls(data, languages.canonical(language), grammar, tree)
        if old is None and grammar == "typescript" and _has_elements(data) and found.has_error():
            other = cls(data, found.language, "tsx", _parse(data, "tsx", None, budget_ms))
            if other.parsed and other.error_count() < found.error_count():
                return other
        return found

    @classmethod
    def unparsed(cls, data: bytes, language: str) -> SyntaxTree:
        """The tree without nodes of a document that there is no time to parse."""
        grammar = languages.grammar_name(language)
        return cls(data, languages.canonical(language), grammar, None)

    def edit(
        self,
        start: int,
        old_end: int,
        new_end: int,
        new_data: bytes,
        *,
        budget_ms: float | None = None,
    ) -> SyntaxTree:
        """The tree after bytes [start, old_end) became new_data[start:new_end], reparsed.

        Raises ValueError when the ranges do not fit the two documents.
        """
        if not (
            0 <= start <= old_end <= len(self.data)
            and start <= new_end <= len(new_data)
            and len(self.data) - old_end == len(new_data) - new_end
        ):
            raise ValueError(
                f"edit [{start}, {old_end}) -> [{start}, {new_end}) does not turn a document of "
                f"{len(self.data)} bytes into one of {len(new_data)}: pass the byte range that "
                "was replaced and the whole new document"
            )
        known = self.old()
        old = None if known is None else known.edit(self.data, start, old_end, new_end, new_data)
        return SyntaxTree.parse(new_data, self.grammar, budget_ms=budget_ms, old=old)

    def old(self) -> OldTree | None:
        """What a later version may be parsed from; None where there is no tree."""
        return None if self._tree is None else OldTree(self._tree, self.grammar)

    @property
    def root(self) -> tree_sitter.Node | None:
        """The root node, None where there is no tree."""
        return None if self._tree is None else self._tree.root_node

    @property
    def parsed(self) -> bool:
        """Whether there is a tree at all."""
        return self._tree is not None

    def cursor(self) -> tree_sitter.TreeCursor | None:
        """A cursor at the root, None where there is no tree."""
        return None if self._tree is None else self._tree.walk()

    def path(self, offset: int) -> list[tree_sitter.Node]:
        """Nodes that contain byte `offset`, root first, leaf last; empty without a tree."""
        cursor = self.cursor()
        if cursor is None:
            return []
        node = cursor.node
        path = []
        while node is not None and node.start_byte <= offset < node.end_byte:
            path.append(node)
            if not enter(cursor, offset):
                break
            node = cursor.node
        return path

    def errors(self, start: int = 0, end: int | None = None) -> Iterator[tree_sitter.Node]:
        """ERROR and MISSING nodes that touch bytes [start, end], in document order.

        Only subtrees with errors are entered, so a sound document costs nothing.
        """
        cursor = self.cursor()
        if cursor is None or not 0 <= start <= len(self.data):
            return
        stop = len(self.data) if end is None else end
        entering = True
        depth = 0
        while True:
            node = cursor.node
            if node is None:
                return
            wanted = entering and node.has_error and node.start_byte <= stop
            if wanted and node.end_byte >= start and (node.is_error or node.is_missing):
                yield node
            # A token of no length at `start` counts, hence the byte before.
            if wanted and enter(cursor, start - 1):
                depth += 1
                continue
            if node.start_byte <= stop and cursor.goto_next_sibling():
                entering = True
                continue
            if depth == 0 or not cursor.goto_parent():
                return
            depth -= 1
            entering = False

    def error_count(self) -> int:
        """How many ERROR and MISSING nodes the document has."""
        if self._errors is None:
            self._errors = sum(1 for _ in self.errors())
        return self._errors

    def has_error(self, start: int = 0, end: int | None = None) -> bool:
        """Whether an ERROR or MISSING node touches bytes [start, end]."""
        return next(self.errors(start, end), None) is not None


def _has_elements(data: bytes) -> bool:
    return b"</" in data or b"/>" in data


def enter(cursor: tree_sitter.TreeCursor, offset: int) -> bool:
    """Move a cursor to the first child that ends after `offset`; False if there is none.

    `goto_first_child_for_byte` alone misses children that follow a hidden node's blank tail.
    """
    if offset >= 0 and cursor.goto_first_child_for_byte(offset) is not None:
        return True
    if not cursor.goto_first_child():
        return False
    while (node := cursor.node) is not None and node.end_byte <= offset:
        if not cursor.goto_next_sibling():
            cursor.goto_parent()
            return False
    return True


def _parse(
    data: bytes, grammar: str, old: tree_sitter.Tree | None, budget_ms: float | None
) -> tree_sitter.Tree | None:
    parser = _parser(grammar)
    if parser is None or len(data) > MAX_PARSED_BYTES:
        return None
    if budget_ms is None:
        return parser.parse(data) if old is None else parser.parse(data, old)
    deadline = time.monotonic() + budget_ms / 1000
    exceeded = False

    def read(offset: int, _point: tree_sitter.Point) -> bytes:
        return data[offset : offset + _CHUNK_BYTES]

    def stop(_offset: int, _has_error: bool) -> bool:
        nonlocal exceeded
        exceeded = time.monotonic() > deadline
        return exceeded

    try:
        if old is None:
            return parser.parse(read, progress_callback=stop)
        return parser.parse(read, old, progress_callback=stop)
    except ValueError:
        if not exceeded:
            raise
        parser.reset()  # else the next parse would resume this one
        return None
