"""Which windows are worth more than others: the best data, for the last part of a run.

The corpus is filtered by file; a good file still has licence texts, tables of numbers and
half-broken corners. A window is worth repeating when it parses, repeats itself little and is not
mostly digits, comments or blank space. Cheap enough to ask for every window of a batch.
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
MOST_DIGITS = 0.08
MOST_COMMENT = 0.5


def worth_repeating(tree: SyntaxTree, data: bytes, window: tuple[int, int]) -> bool:
    """Whether the byte `window` of `data`, whose tree is `tree`, is of the better sort."""
    text = data[window[0] : window[1]]
    words = _WORD.findall(text)
    if len(words) < 20 or len(set(words)) < FEWEST_DISTINCT * len(words):
        return False
    digits = len(text) - len(text.translate(None, _DIGITS))
    if digits > MOST_DIGITS * len(text):
        return False
    if sum(len(line) for line in _COMMENT_LINE.findall(text)) > MOST_COMMENT * len(text):
        return False
    inside = (
        e for e in tree.errors(*window) if e.start_byte >= window[0] and e.end_byte <= window[1]
    )
    return len(list(islice(inside, MOST_ERRORS + 1))) <= MOST_ERRORS
