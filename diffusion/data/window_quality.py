"""Which windows are worth more than others: the best data, for the last part of a run.

The corpus is filtered by file; a good file still has licence texts, tables of numbers and
half-broken corners. A window is worth repeating when it parses, repeats itself little and is not
mostly digits, comments, docstrings or blank space. Cheap enough to ask for every window of a batch.
"""

from __future__ import annotations

import re
from itertools import islice

from diffusion.text.syntax import SyntaxTree

_WORD = re.compile(rb"\w+|[^\w\s]")
_COMMENT_LINE = re.compile(rb"(?m)^[ \t]*(?://|#(?!include|define|if|endif)|\*|/\*)[^\n]*")
_DIGITS = b"0123456789"
MOST_ERRORS = 0
FEWEST_DISTINCT = 0.2
"""Of the words of a stretch; the longer a text is, the more of its words were there before."""
_STRETCH = 150
_AROUND_DOCSTRINGS = frozenset(
    ("class_definition", "function_definition", "decorated_definition", "block")
)
MOST_DIGITS = 0.08
MOST_COMMENT = 0.5


def worth_repeating(tree: SyntaxTree, data: bytes, window: tuple[int, int]) -> bool:
    """Whether the byte `window` of `data`, whose tree is `tree`, is of the better sort."""
    text = data[window[0] : window[1]]
    words = _WORD.findall(text)
    stretches = (words[at : at + _STRETCH] for at in range(0, len(words), _STRETCH))
    distinct = sum(len(set(stretch)) for stretch in stretches)
    if len(words) < 20 or distinct < FEWEST_DISTINCT * len(words):
        return False
    digits = len(text) - len(text.translate(None, _DIGITS))
    if digits > MOST_DIGITS * len(text):
        return False
    comments = sum(len(line) for line in _COMMENT_LINE.findall(text))
    if comments + _docstrings(tree, window) > MOST_COMMENT * len(text):
        return False
    inside = (
        e for e in tree.errors(*window) if e.start_byte >= window[0] and e.end_byte <= window[1]
    )
    return len(list(islice(inside, MOST_ERRORS + 1))) <= MOST_ERRORS


def _docstrings(tree: SyntaxTree, window: tuple[int, int]) -> int:
    """Bytes of the window that are in strings which are statements of their own."""
    found = 0
    left = [tree.root] if tree.root is not None else []
    while left:
        for node in left.pop().children:
            inside = min(node.end_byte, window[1]) - max(node.start_byte, window[0])
            if inside <= 0:
                continue
            if node.type in _AROUND_DOCSTRINGS:
                left.append(node)
            elif node.type == "expression_statement" and node.children[0].type == "string":
                found += inside
    return found
