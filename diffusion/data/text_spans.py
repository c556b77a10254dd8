"""Where the strings and the comments of a program lie, told by their marks alone.

No syntax tree: the search for secrets reads what does not parse, too. What a mark opens and
nothing closes ends with the line, or with the text where it may have many lines, so a mark that
is misread (a quote in a JavaScript regex) costs little.

Invariant: the time is linear in the text, whatever it holds.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache

from diffusion.data.filters import language_of

_TRIPLE = tuple(
    rf"{mark}{{3}}(?:[^{mark}\\]|\\.|{mark}(?!{mark}{mark}))*+(?:{mark}{{3}})?" for mark in "\"'"
)
_HASH, _SLASHES, _BLOCK = r"\#[^\n]*+", r"//[^\n]*+", r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?"
_DOUBLE = r'"(?:[^"\\\n]|\\.)*+"?'
_DOUBLE_OF_LINES = r'"(?:[^"\\]|\\.)*+"?'
_SINGLE = r"'(?:[^'\\\n]|\\.)*+'?"
_CHARACTER = r"'(?:[^'\\\n]|\\[^\n]{1,8}?)'"
_BACKTICKS = r"`(?:[^`\\]|\\.)*+`?"
_RAW_BACKTICKS = r"`[^`]*+`?"
_RAW_RUST = r'\br\#"(?:[^"]|"(?!\#))*+(?:"\#)?'
_SCRIPT = (_SLASHES, _BLOCK, _DOUBLE, _SINGLE, _BACKTICKS)
_MARKS = {
    "python": (_HASH, *_TRIPLE, _DOUBLE, _SINGLE),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "go": (_SLASHES, _BLOCK, _DOUBLE, _RAW_BACKTICKS, _CHARACTER),
    "rust": (_SLASHES, _BLOCK, _RAW_RUST, _DOUBLE_OF_LINES, _CHARACTER),
    "java": (_SLASHES, _BLOCK, _TRIPLE[0], _DOUBLE, _CHARACTER),
}
_OF_C = (_SLASHES, _BLOCK, _DOUBLE, _CHARACTER)


@cache
def _marks(language: str | None) -> re.Pattern[str]:
    return re.compile("|".join(_MARKS.get(language or "", _OF_C)), re.DOTALL)


class TextSpans:
    """The strings and comments of one file; found when first asked for."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
        self._starts: list[int] | None = None
        self._ends: list[int] = []

    def span(self, at: int) -> tuple[int, int] | None:
        """Start and end of the string or comment around the character `at`, marks included."""
        if self._starts is None:
            found = [m.span() for m in _marks(language_of(self._path)).finditer(self._text)]
            self._starts = [start for start, _ in found]
            self._ends = [end for _, end in found]
        which = bisect_right(self._starts, at) - 1
        if which < 0 or at >= self._ends[which]:
            return None
        return self._starts[which], self._ends[which]

    def in_string(self, at: int) -> bool:
        """Whether the character `at` lies in a string."""
        span = self.span(at)
        return span is not None and self._text[span[0]] not in "#/"

