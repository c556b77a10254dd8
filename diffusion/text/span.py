"""The span selector: which bytes are the hole, and of which kind.

Job: `select_hole` says what a completion at a cursor replaces; `classify` names an insertion
point. Training draws its holes with `sample_holes` (from `hole_sampling`), and the table of
lengths is learned from `classify` on documents whose hole has been cut out, so that training
and serving read the same names.

Invariants: deterministic; never raises for bytes in range, whatever they are; works on broken
trees and without a tree. A served hole is a pure insertion (`start == end == cursor`): even
brackets that an editor closed on its own stay, because the model sees them as its suffix.
"""

from __future__ import annotations

import re
from typing import Final

from diffusion.errors import HoleError
from diffusion.text import languages
from diffusion.text.enclosure import (
    SPACE,
    Bracket,
    last_code_byte,
    line_after,
    line_before,
    next_code_byte,
    open_bracket,
    prose_at,
)
from diffusion.text.hole import KINDS, Hole
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.syntax import SyntaxTree

__all__ = ["KINDS", "Hole", "HoleMix", "classify", "sample_holes", "select_hole"]

_CLOSERS: Final = b")]}>;,:\"'` \t"
_CLOSER_OF: Final = {ord("("): b")", ord("["): b"]", ord("{"): b"}"}
_IMPORT = re.compile(
    rb"^\s*(?:(?:pub(?:\([^)]*\))?\s+)?use|import|from|\#\s*include|package|using|extern\s+crate"
    rb"|export\s+\*\s+from)\s[^;=(]*$"
)
# `\w` and `\b` know ASCII only in patterns of bytes; names have letters of any kind.
_MEMBER = re.compile(rb"(?:\?\.|(?<![.\d])\.|::)(?:[A-Za-z_$\x80-\xff][\w\x80-\xff]*)?$")
_ARROW_MEMBER = re.compile(rb"->(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?$")
_CONDITION = {
    "python": re.compile(
        rb"^\s*(?:if|elif|while|for|async\s+for|match|case|with)\b(?![\x80-\xff])[^:]*$"
    ),
    "go": re.compile(rb"^\s*(?:\}\s*else\s+)?(?:if|for|switch|select)\b(?![\x80-\xff])[^{]*$"),
    "rust": re.compile(
        rb"(?:^|[\s=({;,])(?:if|while|for|match)\s[^{]*$",
    ),
}
_OPERATOR = re.compile(rb"(?:(?<!\+)\+|(?<!-)-|[=*/%&|^<>!~?:@])$")
_VALUE_WORD = re.compile(
    rb"(?:^|[^.\w\x80-\xff])(?:return|in|and|or|not|is|yield|await|throw|raise|case|typeof|assert"
    rb"|del|as|lambda|go|defer|new|else|delete|co_return|co_await|co_yield|extends|implements)\s*$"
)
# A name or a key before a colon; a word that opens a block by itself is none. Nor does a lambda.
_NAMED = re.compile(
    rb"^\s*(?!(?:else|try|finally|except)\s*:)[\w.\[\]\x80-\xff\"'-]+\s*:$|\blambda\b[^:]*:$"
)
_HEADER = re.compile(
    rb"^\s*(?:if|elif|else|for|while|try|except|finally|with|def|class|match|case|async)\b"
    rb"(?![\x80-\xff])"
)
_STARTS_A_LINE = re.compile(rb"[\w\"'`@#/<*&$!~\-\x80-\xff]")
_PYTHON_COMMENT = re.compile(rb"\s+#[^\"']*$")


def select_hole(tree: SyntaxTree | None, data: bytes, cursor: int) -> Hole:
    """The hole that a completion at byte offset `cursor` fills: empty, at the cursor.

    Raises HoleError when the cursor lies outside the document.
    """
    return Hole(cursor, cursor, classify(tree, data, cursor))


def classify(tree: SyntaxTree | None, data: bytes, at: int) -> str:
    """The kind (one of KINDS) of the insertion point `at` in a document that lacks the hole.

    `tree` is the tree of `data` itself; without one the line's text alone decides. Raises
    HoleError when `at` lies outside the document.
    """
    if not 0 <= at <= len(data):
        raise HoleError(
            f"cursor {at} lies outside the document of {len(data)} bytes",
            fix="give a byte offset, not a character offset",
        )
    prose = prose_at(tree, data, at)
    if prose is not None:
        return prose
    left, right = line_before(data, at), line_after(data, at)
    typed, rest = left.strip(SPACE), right.strip(SPACE)
    language = tree.language if tree is not None else languages.TEXT
    if not typed:
        if not rest or rest[:1] in b")]}":
            return _blank_line(tree, data, at)
        return "lines" if _STARTS_A_LINE.match(rest) else "inline"
    if _is_word(left[-1:]) and _is_word(right[:1]):
        return "cut"
    if language != languages.TEXT and _IMPORT.match(left):
        return "import"
    if _MEMBER.search(left) or (language not in ("python", "rust") and _ARROW_MEMBER.search(left)):
        return "member"
    return _within_line(tree, data, at, typed, rest)


def _within_line(tree: SyntaxTree | None, data: bytes, at: int, typed: bytes, rest: bytes) -> str:
    """Classify a point with code before it on its line."""
    language = tree.language if tree is not None else languages.TEXT
    bracket = open_bracket(tree, data, at)
    line_start = at - len(line_before(data, at))
    same_line = bracket is not None and bracket.offset >= line_start
    if bracket is not None:
        if bracket.owner == "condition":
            return "condition"
        found = _in_bracket(data, at, bracket) if same_line or bracket.owner != "block" else None
        if found is not None:
            return found
    if bracket is None or bracket.owner == "block" or not same_line:
        condition = _CONDITION.get(language)
        if condition is not None and condition.search(typed):
            return "condition"
    if not rest and _opens_indented(language, typed, bracket):
        return "block" if _body_missing(data, at, line_start) else "statement"
    if typed.endswith(b","):
        return "element"
    only_closers = not rest.strip(_CLOSERS)
    if _OPERATOR.search(typed) or _VALUE_WORD.search(typed):
        return "expression" if only_closers else "inline"
    if not rest and typed[-1:] in b";}":
        return "lines"
    return "rest_of_line" if only_closers else "inline"


def _in_bracket(data: bytes, at: int, bracket: Bracket) -> str | None:
    """The kind at the start of a bracket or after a comma in it; None amid an expression."""
    last = last_code_byte(data, at)
    if last != bracket.offset:
        if bracket.owner == "block":
            return None if data[last] not in b";{}" else "statement"
        return "element" if data[last : last + 1] == b"," else None
    following = next_code_byte(data, at)
    closes = following < 0 or data[following : following + 1] == _CLOSER_OF[bracket.opener]
    if not line_after(data, at).strip(SPACE) and not closes:
        # Nothing closes it on this line: what follows belongs to it only if it lies deeper.
        closes = _indent(data, following) <= _indent(data, bracket.offset)
    if bracket.owner == "block":
        return "block" if closes else "statement"
    if bracket.owner == "group":
        return "expression"
    if not closes:
        return "element"
    return {"call": "arguments", "parameters": "parameters"}.get(bracket.owner, "element")


def _blank_line(tree: SyntaxTree | None, data: bytes, at: int) -> str:
    """Classify a point with nothing before it on its line, and no code after it."""
    bracket = open_bracket(tree, data, at)
    if bracket is not None:
        if bracket.owner == "condition":
            return "condition"
        found = _in_bracket(data, at, bracket)
        if found is not None:
            return found
        if bracket.owner != "block":
            return "expression"
    language = tree.language if tree is not None else languages.TEXT
    last = last_code_byte(data, at)
    if bracket is None and last >= 0:
        start = data.rfind(b"\n", 0, last) + 1
        previous = _PYTHON_COMMENT.sub(b"", line_before(data, last + 1))
        if _opens_indented(language, previous, None) and _body_missing(data, at, start):
            return "block"
    return "statement"


def _opens_indented(language: str, typed: bytes, bracket: Bracket | None) -> bool:
    """Whether a line's text ends by opening an indented block (Python only).

    In a `bracket` it does if it begins as nothing else can: the bracket was left open above.
    """
    spec = languages.LANGUAGES.get(language)
    if spec is None or not spec.indented or not typed.endswith(b":") or _NAMED.search(typed):
        return False
    return bracket is None or _HEADER.match(typed) is not None


def _body_missing(data: bytes, at: int, head: int) -> bool:
    """Whether the next code after `at` is not indented deeper than the line at `head`."""
    following = next_code_byte(data, at)
    return following < 0 or _indent(data, following) <= _indent(data, head)


def _indent(data: bytes, offset: int) -> int:
    """Width of the indentation of the line that holds `offset`; a tab counts as one."""
    start = data.rfind(b"\n", 0, offset) + 1
    line = data[start : start + 256]
    return len(line) - len(line.lstrip(b" \t"))


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_" or byte >= b"\x80"
