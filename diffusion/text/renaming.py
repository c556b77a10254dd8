"""Names exchanged: a text as it would read where other names are used.

Two lines that differ in a name or two say which name stands for which: `self.width = ` there and
`self.height = ` here. Where no whole name of the text is among them, parts of names are tried, in
lower, upper and capitalised: `min_x` there and `max_x` here make `minDepth` `maxDepth`.

Invariants: lines that differ in more than names, or in too many, say nothing; a text that would
stay as it is gives None.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MOST_NAMES: Final = 2
"""Names, or parts of names, in which two lines may differ."""
_NAME: Final = rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*"  # `\w` is ASCII only in a pattern of bytes
_PIECE: Final = re.compile(_NAME + rb"|\s+|\d+|.", re.DOTALL)
_WORD: Final = re.compile(_NAME)
_PART: Final = re.compile(rb"[A-Z]?[a-z\x80-\xff]+|[A-Z]+(?![a-z])|[A-Z]|\d+|_+")
_LETTERS: Final = re.compile(rb"[A-Za-z\x80-\xff]+")


def renamed(text: bytes, there: bytes, here: bytes) -> bytes | None:
    """`text` of a place that has `there` where ours has `here`, in our names; None if the same."""
    names, parts = _names(there, here)
    if not names:
        return None
    changed = _WORD.sub(lambda word: names.get(word[0], word[0]), text)
    if changed == text:
        changed = _WORD.sub(
            lambda word: _PART.sub(lambda part: parts.get(part[0], part[0]), word[0]), text
        )
    return changed if changed != text else None


@lru_cache(maxsize=4096)
def _names(there: bytes, here: bytes) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """The names that two lines exchange, and the parts of them; the same lines are met often."""
    names = _exchanged(_PIECE.findall(there), _PIECE.findall(here), _WORD) or {}
    return names, _parts(names)


def _exchanged(
    old: list[bytes], new: list[bytes], kind: re.Pattern[bytes]
) -> dict[bytes, bytes] | None:
    """Which piece became which; None if pieces of another kind differ, or too many."""
    if len(old) != len(new):
        return None
    names: dict[bytes, bytes] = {}
    for a, b in zip(old, new, strict=True):
        if a == b:
            continue
        if not (kind.fullmatch(a) and kind.fullmatch(b)) or names.setdefault(a, b) != b:
            return None
    return names if len(names) <= MOST_NAMES else None


def _parts(names: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The parts in which names differ, in each case that they may be written in."""
    parts: dict[bytes, bytes] = {}
    for old, new in names.items():
        found = _exchanged(_PART.findall(old), _PART.findall(new), _LETTERS)
        for a, b in (found or {}).items():
            parts.setdefault(a, b)
    if len(parts) > MOST_NAMES:
        return {}
    for a, b in list(parts.items()):
        for write in (bytes.lower, bytes.upper, bytes.capitalize):
            parts.setdefault(write(a), write(b))
    return parts
