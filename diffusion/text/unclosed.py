"""Brackets that a document leaves open at its end, and what would close them.

Who types at the end of a file has not closed the blocks above yet. Such a document is broken
whatever the text is, and a grammar that has given up says little about the text. Closed, as the
one who types will close it, it can be judged like any other.

Invariants: only text is looked at, no tree; a document whose brackets do not match otherwise, or
of `LONGEST_BYTES` and more, is not closed; brackets that the hole's own line opens are not closed
for it. Strings and comments are told apart well enough for that: what is closed wrongly does not
parse, and then nothing is known.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

LONGEST_BYTES: Final = 1 << 16
"""Every text of a hole in such a document may cost a parse of what follows it."""
_CLOSER_OF: Final = {ord("("): ord(")"), ord("["): ord("]"), ord("{"): ord("}")}
_BRACE: Final = ord("}")
_BRACKET: Final = rb"|[()\[\]{}]"
_DOUBLE: Final = rb"\"(?:\\.|[^\"\\\n])*\""
_SINGLE: Final = rb"|'(?:\\.|[^'\\\n])*'"
_CHARACTER: Final = rb"|'(?:\\[^'\n]*|[^'\\\n])'"  # a lifetime has no end
_SLASHES: Final = rb"|//[^\n]*|/\*.*?\*/"
_PYTHON: Final = re.compile(
    rb"\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|" + _DOUBLE + _SINGLE + rb"|#[^\n]*"
    + _BRACKET,
    re.DOTALL,
)  # fmt: skip
_SCRIPT: Final = re.compile(
    _DOUBLE + _SINGLE + rb"|`(?:\\.|[^`\\])*`" + _SLASHES + _BRACKET, re.DOTALL
)
_GO: Final = re.compile(_DOUBLE + _CHARACTER + rb"|`[^`]*`" + _SLASHES + _BRACKET, re.DOTALL)
_C_LIKE: Final = re.compile(_DOUBLE + _CHARACTER + _SLASHES + _BRACKET, re.DOTALL)
_LEXEMES: Final = {
    "python": _PYTHON, "javascript": _SCRIPT, "typescript": _SCRIPT, "go": _GO,
    "rust": _C_LIKE, "java": _C_LIKE, "c": _C_LIKE, "cpp": _C_LIKE,
}  # fmt: skip
_ENDS_WITH_SEMICOLON: Final = frozenset(("rust", "java", "c", "cpp"))


@dataclass(frozen=True, slots=True)
class Brackets:
    """What a piece of text does to brackets: `closes` of those before it, `opens` of its own.

    Both as closing brackets, in the order of the text.
    """

    closes: tuple[int, ...] = ()
    opens: tuple[int, ...] = ()

    @property
    def balanced(self) -> bool:
        """Whether it closes what it opens and no more."""
        return not self.closes and not self.opens


def brackets_of(text: bytes, language: str) -> Brackets | None:
    """The brackets of a piece of text; None if they do not match, or in an unknown language."""
    lexeme = _LEXEMES.get(language)
    if lexeme is None:
        return None
    closes: list[int] = []
    opens: list[int] = []
    for found in lexeme.finditer(text):
        if found.end() - found.start() > 1:
            continue  # a string or a comment
        byte = text[found.start()]
        if byte in _CLOSER_OF:
            opens.append(_CLOSER_OF[byte])
        elif not opens:
            closes.append(byte)
        elif opens.pop() != byte:
            return None
    return Brackets(tuple(closes), tuple(opens))


class Unclosed:
    """The document around the hole `[start, end)`, and what is open above the hole's line."""

    def __init__(self, data: bytes, start: int, end: int, language: str) -> None:
        self.line_start = data.rfind(b"\n", 0, start) + 1
        line_end = data.find(b"\n", end) if b"\n" in data[end:] else len(data)
        self._typed, self._rest = data[self.line_start : start], data[end:line_end]
        self._below = data[line_end:].rstrip()
        self._language = language
        self._above = data[: self.line_start]
        self._closable = len(data) < LONGEST_BYTES

    @cached_property
    def _above_brackets(self) -> Brackets | None:
        return brackets_of(self._above, self._language) if self._closable else None

    @cached_property
    def _below_brackets(self) -> Brackets | None:
        return brackets_of(self._below, self._language) if self._closable else None

    def tail(self, text: bytes) -> bytes | None:
        """All that follows the hole's start, with `text` in the hole, and closed.

        None if nothing is open, or if more than that is wrong. A bracket that the hole's line opens
        and nothing closes stays open.
        """
        line = brackets_of(self._typed + text + self._rest, self._language)
        closers = None if line is None else self._closers(line)
        return None if closers is None else self._closed(text + self._rest, closers)

    def balanced_with(self, text: bytes) -> bool:
        """Whether the hole's line with `text` closes the brackets that it opens, and no others."""
        line = brackets_of(self._typed + text + self._rest, self._language)
        return line is not None and line.balanced

    def tail_without_line(self) -> bytes | None:
        """All that follows the start of the hole's line, without that line, and closed."""
        closers = self._closers(Brackets())
        return None if closers is None else self._closed(b"", closers)

    def _closers(self, line: Brackets) -> list[int] | None:
        above, below = self._above_brackets, self._below_brackets
        if above is None or below is None or above.closes:
            return None
        open_brackets = _after(above.opens, line.closes)
        if open_brackets is None:
            return None
        closed_below = min(len(below.closes), len(line.opens))
        if tuple(reversed(line.opens))[:closed_below] != below.closes[:closed_below]:
            return None
        open_brackets = _after(open_brackets, below.closes[closed_below:])
        return None if open_brackets is None else [*open_brackets, *below.opens] or None

    def _closed(self, line: bytes, closers: Sequence[int]) -> bytes:
        text = (line + self._below).rstrip()
        inside_out = list(reversed(closers))
        for closer, outer in zip(inside_out, [*inside_out[1:], _BRACE], strict=True):
            text += b"\n}" if closer == _BRACE else bytes((closer,))
            if closer != outer == _BRACE and self._language in _ENDS_WITH_SEMICOLON:
                text += b";"
        return text + b"\n"


def _after(opens: Sequence[int], closes: Sequence[int]) -> list[int] | None:
    """What of `opens` is still open after `closes`; None if they do not match."""
    left = list(opens)
    for closer in closes:
        if not left or left.pop() != closer:
            return None
    return left
