"""One version of an open document: its bytes, lines and syntax tree.

Text is held as bytes: UTF-8, with lone surrogates (which a JSON string can carry) in their
three-byte form. Invariants: a `Document` never changes, `apply` returns the next one, so a
request that holds one holds a snapshot; the tree is parsed on first use, and again only as far
as later edits reach; no method raises for unusual text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from diffusion.text import languages
from diffusion.text.syntax import SyntaxTree
from lsp_server.lines import LineIndex

# Beyond this many edits since the last parse a full parse is cheaper than keeping the bytes
# of every version in between.
_MAX_PENDING = 16
_HIGH_HALF = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]")
_LOW_HALF = re.compile(rb"\xed[\xb0-\xbf][\x80-\xbf]")


def to_bytes(text: str) -> bytes:
    """The bytes of a string; a lone surrogate takes three, a surrogate pair four."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return whole.encode("utf-8", "surrogatepass")


def to_text(data: bytes) -> str:
    """The string of bytes that `to_bytes` made; other bytes become U+FFFD."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes [start, end) become `data`."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Pending:
    """An edit that the tree does not know yet, and the document after it."""

    start: int
    old_end: int
    new_end: int
    data: bytes


class Document:
    """A snapshot of one open file."""

    __slots__ = ("_pending", "_tree", "data", "grammar", "language", "lines", "uri", "version")

    def __init__(
        self,
        uri: str,
        language_id: str,
        version: int,
        data: bytes,
        *,
        lines: LineIndex | None = None,
    ) -> None:
        self.uri = uri
        self.version = version
        self.data = data
        self.lines = LineIndex.of(data) if lines is None else lines
        self.grammar = _grammar(uri, language_id)
        self.language = languages.canonical(self.grammar)
        self._tree: SyntaxTree | None = None
        self._pending: tuple[_Pending, ...] = ()

    @classmethod
    def open(cls, uri: str, language_id: str, version: int, text: str) -> Document:
        return cls(uri, language_id, version, to_bytes(text))

    def apply(self, edits: Sequence[Edit], version: int) -> Document:
        """The next version, after edits that each refer to the document the one before left."""
        data, lines, pending = self.data, self.lines, list(self._pending)
        for edit in edits:
            joined = _join_surrogates(data, edit)
            data = data[: joined.start] + joined.data + data[joined.end :]
            new_end = joined.start + len(joined.data)
            lines = lines.edit(joined.start, joined.end, new_end, data)
            pending.append(_Pending(joined.start, joined.end, new_end, data))
        after = Document(self.uri, "", version, data, lines=lines)
        after.grammar, after.language = self.grammar, self.language
        if self._tree is not None and len(pending) <= _MAX_PENDING:
            after._tree, after._pending = self._tree, tuple(pending)
        return after

    def replaced(self, text: str, version: int) -> Document:
        """The next version, when the client sent the whole text."""
        after = Document(self.uri, "", version, to_bytes(text))
        after.grammar, after.language = self.grammar, self.language
        return after

    def tree(self) -> SyntaxTree:
        """The syntax tree of this version. Call it from one thread only."""
        if self._tree is None:
            self._tree = SyntaxTree.parse(self.data, self.grammar)
        for step in self._pending:
            self._tree = self._tree.edit(step.start, step.old_end, step.new_end, step.data)
        self._pending = ()
        return self._tree

    def line(self, offset: int) -> tuple[int, int]:
        """The byte range, without its line end, of the line that holds an offset."""
        return self.lines.span(self.lines.line_at(offset), self.data)


def _grammar(uri: str, language_id: str) -> str:
    """The grammar that fits: the editor's word first, then the file name."""
    name = languages.grammar_name(language_id)
    if name != languages.TEXT:
        return name
    return languages.grammar_for_path(unquote(urlsplit(uri).path))


def _join_surrogates(data: bytes, edit: Edit) -> Edit:
    """Widen an edit so that two surrogate halves that now touch become one character.

    An editor that counts UTF-16 can insert the halves of a pair one after the other.
    """
    before = data[max(edit.start - 3, 0) : edit.start]
    after = data[edit.end : edit.end + 3]
    before = before if _HIGH_HALF.fullmatch(before) else b""
    after = after if _LOW_HALF.fullmatch(after) else b""
    if not before and not after:
        return edit
    text = (before + edit.data + after).decode("utf-8", "surrogatepass")
    return Edit(edit.start - len(before), edit.end + len(after), to_bytes(text))
