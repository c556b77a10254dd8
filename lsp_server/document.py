"""One version of an open document: its bytes, lines and syntax tree.

Text is held as bytes: UTF-8, with lone surrogates (which a JSON string can carry) in their
three-byte form. Invariants: a `Document` never changes, `apply` returns the next one, so a
request that holds one holds a snapshot; the tree is parsed on first use, again only as far as
later edits reach, and never for long, as the event loop waits for it; no method raises for unusual
text.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from diffusion.text import languages
from diffusion.text.syntax import OldTree, SyntaxTree
from lsp_server.lines import LineIndex

FIRST_PARSE_MS = 200.0
PARSE_MS = 30.0
"""Of a later version, of which only what changed is parsed again, unless it broke all the rest."""
MOST_FAILED = 3
"""Versions in a row that could not be parsed in time; then one is tried every `RETRY_S`."""
RETRY_S = 0.5
_NOT_OURS = frozenset(
    ("plaintext", "text", "raw", "markdown", "html", "latex", "sql", "shellscript", "xml")
)
"""Language ids that an editor means, whatever the file is called; another one it may have made."""
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


class Document:
    """A snapshot of one open file."""

    __slots__ = (
        "_failed", "_old", "_tree", "_tried_s", "data", "grammar", "language", "lines", "uri",
        "version",
    )  # fmt: skip

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
        self._old: OldTree | None = None
        self._failed = 0  # versions in a row, up to the last one that was tried
        self._tried_s = 0.0

    @classmethod
    def open(cls, uri: str, language_id: str, version: int, text: str) -> Document:
        return cls(uri, language_id, version, to_bytes(text))

    def apply(self, edits: Sequence[Edit], version: int) -> Document:
        """The next version, after edits that each refer to the document the one before left."""
        data, lines, old = self.data, self.lines, self._known()
        for edit in edits:
            joined = _join_surrogates(data, edit)
            before, data = data, data[: joined.start] + joined.data + data[joined.end :]
            new_end = joined.start + len(joined.data)
            lines = lines.edit(joined.start, joined.end, new_end, data)
            if old is not None:
                old = old.edit(before, joined.start, joined.end, new_end, data)
        after = Document(self.uri, "", version, data, lines=lines)
        after.grammar, after.language = self.grammar, self.language
        after._old, after._failed, after._tried_s = old, self._failed, self._tried_s
        return after

    def replaced(self, text: str, version: int) -> Document:
        """The next version, when the client sent the whole text."""
        after = Document(self.uri, "", version, to_bytes(text))
        after.grammar, after.language = self.grammar, self.language
        return after

    def tree(self) -> SyntaxTree:
        """The syntax tree of this version, without nodes if it cannot be had in time.

        Call it from one thread only.
        """
        if self._tree is None:
            now_s = time.monotonic()
            if self._failed >= MOST_FAILED and now_s < self._tried_s + RETRY_S:
                self._tree = SyntaxTree.unparsed(self.data, self.grammar)
                return self._tree
            first = self._old is None and not self._failed
            self._tree = SyntaxTree.parse(
                self.data, self.grammar,
                budget_ms=FIRST_PARSE_MS if first else PARSE_MS, old=self._old,
            )  # fmt: skip
            self._failed = 0 if self._tree.parsed else self._failed + 1
            self._tried_s = now_s
        return self._tree

    def _known(self) -> OldTree | None:
        """What the next version may be parsed from: this tree, or the last one there was."""
        known = None if self._tree is None else self._tree.old()
        return self._old if known is None else known

    def line(self, offset: int) -> tuple[int, int]:
        """The byte range, without its line end, of the line that holds an offset."""
        return self.lines.span(self.lines.line_at(offset), self.data)


def _grammar(uri: str, language_id: str) -> str:
    """The grammar that fits: the editor's word first, then the file name."""
    name = languages.grammar_name(language_id or "")
    if name != languages.TEXT or language_id in _NOT_OURS:
        return name
    try:
        path = urlsplit(uri).path
    except ValueError:  # `http://[`, which is no address
        path = uri
    return languages.grammar_for_path(unquote(path))


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
