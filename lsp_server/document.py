"""One version of an open document: its bytes, lines and syntax tree.

Text is held as bytes: UTF-8, with lone surrogates (which a JSON string can carry) in their
three-byte form. Invariants: a `Document` never changes, `apply` returns the next one, so a
request that holds one holds a snapshot; the tree is parsed on first use, again only as far as
later edits reach, and never for long, as the event loop waits for it: where that does not do, all
of it now and then (`WholeParses`); no method raises for unusual text.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from diffusion.text import languages
from diffusion.text.reparse import unchanged
from diffusion.text.syntax import OldTree, SyntaxTree
from lsp_server.lines import LineIndex

WHOLE_PARSE_MS = 200.0
PARSE_MS = 30.0
"""Of a later version, of which only what changed is parsed again, unless it broke all the rest."""
WHOLE_SHARE = 0.1
"""Of the event loop's time, at most, for whole parses of a document's versions."""
MOST_DOUBLED = 3
"""Times that the wait for the next whole parse is doubled: for all but the first of those that
failed in a row."""
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


class WholeParses:
    """When a document may be parsed from its start again; one for all of its versions.

    The first one may be at once, and so may be one after any that was quick.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed = 0  # in a row
        self._next_s = -math.inf

    def parse(self, data: bytes, grammar: str) -> SyntaxTree:
        """The tree of a version; without nodes where it cannot be had now, or not in time."""
        begun_s = self._clock()
        if begun_s < self._next_s:
            return SyntaxTree.unparsed(data, grammar)
        tree = SyntaxTree.parse(data, grammar, budget_ms=WHOLE_PARSE_MS)
        took_s = self._clock() - begun_s
        self._failed = 0 if tree.parsed else self._failed + 1
        if 1000 * took_s > PARSE_MS:
            doubled = min(max(self._failed - 1, 0), MOST_DOUBLED)
            wait_s = took_s / WHOLE_SHARE * 2**doubled
            self._next_s = begun_s + took_s + wait_s
        return tree


class Document:
    """A snapshot of one open file."""

    __slots__ = (
        "_old", "_tree", "_whole", "data", "grammar", "language", "lines", "uri", "version",
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
        self._whole = WholeParses()

    @classmethod
    def open(cls, uri: str, language_id: str, version: int, text: str) -> Document:
        return cls(uri, language_id, version, to_bytes(text))

    def apply(self, edits: Sequence[Edit], version: int) -> Document:
        """The next version, after edits that each refer to the document the one before left."""
        after = self
        for edit in edits:
            after = after._edited(_join_surrogates(after.data, edit), version)
        return after if edits else self._edited(Edit(0, 0, b""), version)

    def replaced(self, text: str, version: int) -> Document:
        """The next version, when the client sent the whole text."""
        data = to_bytes(text)
        start, tail = unchanged(self.data, data)
        end = len(data) - tail
        after = self._edited(Edit(start, len(self.data) - tail, data[start:end]), version)
        if 2 * (start + tail) < len(data):
            after._old = None  # another text: what is known of this one is in the way
        return after

    def _edited(self, edit: Edit, version: int) -> Document:
        """The next version, in which bytes were replaced, also amid characters."""
        data = self.data[: edit.start] + edit.data + self.data[edit.end :]
        new_end = edit.start + len(edit.data)
        lines = self.lines.edit(edit.start, edit.end, new_end, data)
        after = Document(self.uri, "", version, data, lines=lines)
        after.grammar, after.language = self.grammar, self.language
        after._whole, old = self._whole, self._known()
        if old is not None:
            after._old = old.edit(self.data, edit.start, edit.end, new_end, data)
        return after

    def tree(self) -> SyntaxTree:
        """The syntax tree of this version, without nodes if it cannot be had in time.

        Without, it may be there the next time. Call it from one thread only.
        """
        if self._tree is not None:
            return self._tree
        old, self._old = self._old, None  # what fails with it is not tried with it again
        if old is not None:
            tree = SyntaxTree.parse(self.data, self.grammar, budget_ms=PARSE_MS, old=old)
        else:
            tree = self._whole.parse(self.data, self.grammar)
        if tree.parsed:
            self._tree = tree
        return tree

    def _known(self) -> OldTree | None:
        """What the next version may be parsed from: this tree, or the last one there was."""
        return self._old if self._tree is None else self._tree.old()

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
