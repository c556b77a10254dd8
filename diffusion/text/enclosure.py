"""What encloses an insertion point: a string, a comment, or an open bracket and its owner.

Invariants: only text before the point decides which bracket is open, so the answer does not
depend on what is still to be written; broken trees and documents without a tree are answered
from the text of the line. Nothing here raises, and no more than a few thousand bytes or nodes
are looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from diffusion.text import languages
from diffusion.text.syntax import SyntaxTree

LOOK_BEHIND_BYTES: Final = 512
LOOK_AHEAD_BYTES: Final = 256
_BLANK_RUN_BYTES: Final = 4096
_MOST_CHILDREN: Final = 1024
SPACE: Final = b" \t\r\n\x0b\x0c"

_OPENERS: Final = b"([{"
_CLOSERS: Final = b")]}"
# Complete strings on one line, then whatever opens one that stays open, then comments.
_LEXEME = re.compile(
    rb"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`|(?P<line>//|\#)|(?P<block>/\*(?:.*?\*/)?)"
    rb"|(?P<quote>[\"'`])|\w+(?:'\w+)*"
)
_INTERPOLATIONS = frozenset(("interpolation", "template_substitution", "string_interpolation"))
# The tree of an interpolation that lacks its expression is too broken to go by.
_OPEN_INTERPOLATION = {
    "python": re.compile(
        rb"\b(?:[rR]?[fF]|[fF][rR])(?:\"+[^\"]*|'+[^']*)(?<!\{)(?:\{\{)*\{[^{}]*$"
    ),
    "javascript": re.compile(rb"\$\{[^}`]*$"),
    "typescript": re.compile(rb"\$\{[^}`]*$"),
}
_CONTROL = re.compile(rb"\b(?:if|while|for|switch|match|until|synchronized|elif|foreach)\s*!?$")
_VALUE_WORD = re.compile(
    rb"(?:^|[^.\w])(?:return|in|and|or|not|is|yield|await|throw|raise|case|typeof|assert|else|"
    rb"del|as|from|import|export|default|const|let|var|val|lambda|go|defer|new|mut|ref|"
    rb"co_return|co_await|co_yield|goto|delete|void|instanceof|extends|implements)$"
)
_NOT_A_TYPE = frozenset(
    b"return new else throw await yield case delete goto in co_return co_await sizeof and or "
    b"not typeof raise assert print use mod if while for switch".split()
)
_FUNCTION_WORDS = {
    "python": rb"def", "go": rb"func", "rust": rb"fn", "javascript": rb"function",
    "typescript": rb"function", languages.TEXT: rb"def|fn|func|function|class",
}  # fmt: skip
_FUNCTION = {
    language: re.compile(rb"(?<![.\w])(?:" + words + rb")\b[^{}=]*$")
    for language, words in _FUNCTION_WORDS.items()
}
_TYPED_NAME = re.compile(
    rb"^\s*(?:template\s*<.*>\s*)?([\w:]+)[\w\s:<>,.*&\[\]?@~]*[\s*&~>][\w:~]+$"
)
_LONGEST_HEAD = 160
_METHOD = re.compile(
    rb"^\s*(?:(?:async|static|get|set|public|private|protected|override|abstract|readonly)\s+)+"
    rb"[\w#*$]+$|^\s*constructor$"
)
_ARROW_FUNCTION = re.compile(rb"[^()]*\)\s*(?::[^=]*)?=>")
_BLOCK_HEAD = re.compile(
    rb"(?:\)|\]|=>|->|\b(?:else|try|do|finally|loop|unsafe|const|static|async|default|throws|"
    rb"override|noexcept|select|switch|where|return\s+func\(.*\).*)|:)$"
    rb"|\b(?:class|struct|enum|interface|impl|trait|namespace|union|mod|extern|fn|func|function|"
    rb"match|if|while|for|switch|loop|record|module|static|type\s+\w+\s+(?:struct|interface))\b"
    rb"[^=(]*$|\b(?:fn|func|function)\b[^{}]*$|\bthrows\b[^{}]*$|->[^{}]*$"
)
_INCLUDE = re.compile(rb"^\s*#\s*include\b")
_ELEMENT_OPENED = re.compile(rb"(?<!\w)</?[\w.]*(?:\s[^<>]*)?>$")
_LITERAL_END = re.compile(rb"(?:[=(\[,?&|]|\breturn|\bin|[\w)\]>]\s*:|\byield|\bdefault)$")


@dataclass(frozen=True, slots=True)
class Bracket:
    """An opening bracket that is still open at a point.

    `owner` is one of condition, parameters, call, group, index, literal, block.
    """

    offset: int
    opener: int
    owner: str


def line_before(data: bytes, at: int) -> bytes:
    """The line's text left of `at`, at most LOOK_BEHIND_BYTES of it."""
    start = max(data.rfind(b"\n", 0, at) + 1, at - LOOK_BEHIND_BYTES)
    return data[start:at]


def line_after(data: bytes, at: int) -> bytes:
    """The line's text right of `at`, at most LOOK_AHEAD_BYTES of it."""
    end = data.find(b"\n", at, at + LOOK_AHEAD_BYTES)
    return data[at : at + LOOK_AHEAD_BYTES if end < 0 else end].rstrip(b"\r")


def last_code_byte(data: bytes, at: int) -> int:
    """Offset of the last byte before `at` that is no whitespace, -1 if none is near."""
    low = max(0, at - _BLANK_RUN_BYTES)
    return low + len(data[low:at].rstrip(SPACE)) - 1 if data[low:at].strip(SPACE) else -1


def next_code_byte(data: bytes, at: int) -> int:
    """Offset of the first byte from `at` that is no whitespace, -1 if none is near."""
    ahead = data[at : at + _BLANK_RUN_BYTES]
    stripped = ahead.lstrip(SPACE)
    return at + len(ahead) - len(stripped) if stripped else -1


# ---------------------------------------------------------------- strings and comments


def prose_at(tree: SyntaxTree | None, data: bytes, at: int) -> str | None:
    """ "string" or "comment" when `at` lies inside one, else None."""
    language = tree.language if tree is not None else languages.TEXT
    if language in ("c", "cpp") and _INCLUDE.match(line_before(data, at)):
        return None  # a name, whatever stands around it
    interpolation = _OPEN_INTERPOLATION.get(language)
    if interpolation is not None and interpolation.search(line_before(data, at)):
        return None
    if tree is not None and tree.parsed:
        found = _prose_in_tree(tree, data, at)
        if found is not None:
            return found
        start = data.rfind(b"\n", 0, at) + 1
        if not tree.has_error(start, at):
            return None
        left = line_before(data, at)
        closed = max(_prose_end_in_line(tree, start, at), at - len(left))
        return _prose_in_line(data[closed:at], language)
    elif language == languages.TEXT:
        return None
    return _prose_in_line(line_before(data, at), language)


def _prose_in_tree(tree: SyntaxTree, data: bytes, at: int) -> str | None:
    built = languages.grammar(tree.grammar)
    if built is None or at == 0:
        return None
    found = None
    for node in tree.path(at - 1):
        node_type = node.type
        if node_type in _INTERPOLATIONS and node.end_byte > at:
            found = None
            continue
        kind = built.kinds.get(node_type)
        if kind == "string" and node.end_byte > at:
            found = "string"
        elif kind == "comment" and _inside_comment(data, node.start_byte, node.end_byte, at):
            found = "comment"
    return found


def _prose_end_in_line(tree: SyntaxTree, start: int, at: int) -> int:
    """Where the string or comment ends that covers the start of a line; `start` without one."""
    built = languages.grammar(tree.grammar)
    if built is None:
        return start
    for node in tree.path(start):
        if built.kinds.get(node.type, "") in ("string", "comment") and node.start_byte < start:
            return node.end_byte if node.end_byte <= at else start
    return start


def _inside_comment(data: bytes, start: int, end: int, at: int) -> bool:
    """A line comment goes on where it ends; a block comment does not."""
    if end > at:
        return data[start:at] not in (b"/", b"")
    return not data.startswith(b"/*", start) and data[at - 1 : at] != b"\n"


def _prose_in_line(left: bytes, language: str) -> str | None:
    """What is left open at the end of a line's text, read without a tree."""
    hash_comments = language == "python"
    at = 0
    while match := _LEXEME.search(left, at):
        at = match.end()
        if match["line"] is not None:
            if (match["line"] == b"#") == hash_comments:
                return "comment"
        elif match["block"] is not None:
            if match["block"] == b"/*":
                return "comment"
        elif match["quote"] is not None:
            if match["quote"] == b"'" and language == "rust":
                continue  # a lifetime
            return "string"
    return None


# ---------------------------------------------------------------- brackets


def open_bracket(tree: SyntaxTree | None, data: bytes, at: int) -> Bracket | None:
    """The innermost bracket still open before `at`: of this line, else found in the tree."""
    left = line_before(data, at)
    offset = _open_in_line(left)
    if offset >= 0:
        offset += at - len(left)
    elif tree is not None and tree.parsed:
        offset = _open_in_tree(tree, data, at)
    if offset < 0:
        return None
    language = tree.language if tree is not None else languages.TEXT
    return Bracket(offset, data[offset], _owner(data, offset, language))


def _open_in_line(left: bytes) -> int:
    """Index of the last unclosed bracket of a line's text, -1 if none."""
    blanked = _LEXEME.sub(lambda match: b"w" * len(match[0]), left)
    depth = 0
    for index in range(len(blanked) - 1, -1, -1):
        byte = blanked[index]
        if byte in _CLOSERS:
            depth += 1
        elif byte in _OPENERS:
            if depth == 0:
                return index
            depth -= 1
    return -1


def _open_in_tree(tree: SyntaxTree, data: bytes, at: int) -> int:
    """Offset of the bracket token still open before `at`, -1 if none is found."""
    last = last_code_byte(data, at)
    if last < 0:
        return -1
    path = tree.path(last)
    if not path:
        return -1
    leaf = path[-1]
    if leaf.child_count == 0 and leaf.end_byte - leaf.start_byte == 1 and data[last] in _OPENERS:
        return last
    depth = 1 if leaf.type in (")", "]", "}") else 0
    for parent, child in zip(reversed(path[:-1]), reversed(path[1:]), strict=True):
        if parent.child_count > _MOST_CHILDREN:
            continue
        for sibling in reversed(parent.children):
            if sibling.start_byte >= child.start_byte or sibling.is_missing:
                continue
            token = sibling.type
            if token in (")", "]", "}"):
                depth += 1
            elif token in ("(", "[", "{", "${", "#{"):
                if depth == 0:
                    return sibling.end_byte - 1
                depth -= 1
    return -1


def _owner(data: bytes, offset: int, language: str) -> str:
    """What the bracket at `offset` belongs to, by the text before it on its line."""
    head = line_before(data, offset).rstrip()
    opener = data[offset : offset + 1]
    if opener == b"{":
        if data[offset - 1 : offset] == b"$" and language in ("javascript", "typescript"):
            return "group"  # in a template
        glued = data[offset - 1 : offset] == b">"
        if glued and language in ("javascript", "typescript") and _ELEMENT_OPENED.search(head):
            return "group"  # between the tags of an element
        return _brace_owner(head, language)
    if opener == b"[":
        return "index" if re.search(rb"[\w)\]]$", head) else "literal"
    if _CONTROL.search(head):
        return "condition"
    if not head or not (head[-1:].isalnum() or head[-1:] in b"_)]>!?$"):
        arrow = _ARROW_FUNCTION.match(data, offset + 1, offset + LOOK_AHEAD_BYTES)
        return "parameters" if arrow else "group"
    if _VALUE_WORD.search(head):
        return "group"
    function = _FUNCTION.get(language)
    if function is not None and function.search(head):
        return "parameters"
    if _METHOD.search(head) or re.search(rb"\bcatch$", head):
        return "parameters"
    if language in ("c", "cpp", "java"):
        # The names could be cut anywhere, so a long line of signs would be tried in every way.
        typed = _TYPED_NAME.match(head) if len(head) <= _LONGEST_HEAD else None
        if typed and typed[1] not in _NOT_A_TYPE:
            return "parameters"
    return "call"


def _brace_owner(head: bytes, language: str) -> str:
    if language == "python":
        return "literal"
    if _LITERAL_END.search(head) and not head.endswith((b"=>", b"->")):
        return "block" if re.search(rb"^\s*(?:case\b.*|default\s*|\w+\s*):$", head) else "literal"
    if not head or _BLOCK_HEAD.search(head):
        return "block"
    if language in ("go", "rust", "cpp") and re.search(rb"[\w>\]]$", head):
        return "literal"
    return "block"
