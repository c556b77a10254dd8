"""Whether a value that is given to a name such as `password` is a live secret, or a placeholder.

What the value says decides: `"your-api-key"` and `"${DB_PASSWORD}"` hold nothing,
`"correcthorsebatterystaple"` does.

Invariant: a placeholder's word counts where it is a whole word, so none in a part of a secret
(`latest` is no `test`) lets the rest pass.
"""

from __future__ import annotations

import re
from typing import Literal

from diffusion.data.secrets import entropy_bits

Kind = Literal["password", "key", "token"]
SHORTEST = 6
_SHORTEST_TOKEN = 16
_SHORTEST_STRONG = 8
"""More than the names of encodings have (`latin1`)."""
_LEAST_BITS = 2.5
_LONGEST_WORD = 16
"""A word of so many letters is none of a language's; beside a placeholder's it is a secret."""
_TEMPLATE = re.compile(
    r"\$?\{\{?[^{}]*\}\}?|\$\([^()]*\)|\$[A-Z_]+\b|<[^<>]*>|%\(\w+\)s|%[sdv]|%\w+%"
)
_PIECE = re.compile(r"[A-Za-z0-9]+")
_PLAIN_PIECE = re.compile(r"[A-Za-z]+\d{0,3}")
_WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*")
_PLACEHOLDER = re.compile(
    r"(?:examples?|change|changeme|placeholder|dummy|tests?|testing|fake|mock|sample|redacted"
    r"|secrets?|passw(?:or)?ds?|passphrase|pwd|tokens?|keys?|apikey|credentials?|none|null"
    r"|undefined|string|number|boolean|object|function|required|optional|hidden|xx+)\d{0,3}",
    re.IGNORECASE,
)
_CODE = re.compile(r"[\[\](){}<>;=|\"'`\s]|->|::|\.\w+\.\w|\d+\.\d+\.\d+$")


def is_live(value: str, kind: Kind) -> bool:
    """Whether a value is more than a placeholder."""
    value = _TEMPLATE.sub("", value)
    if len(value) < SHORTEST or entropy_bits(value.encode()) < _LEAST_BITS:
        return False
    pieces = _PIECE.findall(value)
    words = [word for piece in pieces for word in _words(piece)]
    others = [word for word in words if not _PLACEHOLDER.fullmatch(word)]
    if len(others) < len(words) and all(_is_filling(word) for word in others):
        return False
    with_digit = [piece for piece in pieces if any(c.isdigit() for c in piece)]
    if kind == "token":  # of a grammar, of a chain, of a model: many are no secrets
        if "://" in value:
            return False
        return any(len(piece) >= SHORTEST for piece in with_digit) or (
            len(pieces) == 1 and len(max(words, key=len, default="")) >= _SHORTEST_TOKEN
        )
    return kind == "password" or bool(with_digit) or not re.fullmatch(r"[\w.\- ]*", value)


def is_strong(value: str, kind: Kind) -> bool:
    """Whether a value is live and no word of a language: for places where words are common."""
    return (
        len(value) >= _SHORTEST_STRONG
        and any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and not _CODE.search(value)
        and (kind != "token" or len(value) >= _SHORTEST_TOKEN)
        and is_live(value, kind)
    )


def _words(piece: str) -> list[str]:
    """The words of `camelCase`; what has a digit anywhere but at its end is not taken apart."""
    return _WORD.findall(piece) if _PLAIN_PIECE.fullmatch(piece) else [piece]


def _is_filling(word: str) -> bool:
    """Whether a word may stand beside a placeholder's: `my` in `my-secret-key`."""
    return len(word) < (_LONGEST_WORD if word.isalpha() else 5 if word.isdigit() else 4)
