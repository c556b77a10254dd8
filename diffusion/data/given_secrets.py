"""Literals that are given to a name such as `password`: live secrets, or placeholders?

`password = "..."` in the forms of the eight languages, with a type between them, as what is taken
where a variable of the environment is not set, and what the keyword detector of detect-secrets
finds besides. What a literal says decides: `"your-api-key"` and `"${DB_PASSWORD}"` hold nothing,
`"correcthorsebatterystaple"` does.

Invariant: a placeholder's word counts where it is a whole word, so none in a part of a secret
(`latest` is no `test`) lets the rest pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from diffusion.data.secrets import entropy_bits

Kind = Literal["password", "key", "token"]
_NAMES = (
    r"(?:(?P<password>pass_?word|passwd|pwd|pass_?phrase|contrase|secret|(?:db|database|key)_?pass)"
    r"|(?P<key>(?:api|auth|service|account|access|signing|encryption|db|database|priv(?:ate)?"
    r"|client)[_-]?key)"
    r"|(?P<token>token(?!s|i[sz])))"
)
_NAME = re.compile(_NAMES, re.IGNORECASE)
_TYPE = r"(?:\s{0,3}:\s{0,2}[&\w'<>\[\].*|]{1,30}(?:\s\w{1,10})?|\s[\w\[\]*.]{1,30})?"
_SIGN = r"\s{0,3}(?:[:=!]?={1,3}>?|:|\|\||\?\?|\bor\b)\s{0,40}\(?\s{0,40}"
_LITERAL = r"[@rbful]{0,2}(?P<quote>[\"'`])(?P<value>[^\"'`\n]{6,200})(?P=quote)"
_GIVEN = re.compile(
    rf"{_NAMES}[\w-]{{0,40}}(?:\[\d*\]|[\"'`\])]{{0,3}}){_TYPE}{_SIGN}{_LITERAL}", re.IGNORECASE
)
_WHERE_UNSET = re.compile(
    r"(?:get|env|config|property|option)\w{0,20}\(\s{0,3}[\"'`][\w.-]{0,40}"
    rf"{_NAMES}[\w.-]{{0,40}}[\"'`]\s{{0,3}},\s{{0,40}}(?:default\w{{0,8}}\s?=\s?)?{_LITERAL}",
    re.IGNORECASE,
)
_LONGEST_LINE = 2000
_LEAST_BITS = 2.5
_SHORTEST, _SHORTEST_TOKEN = 6, 16
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


def given_secret(path: str, text: str) -> bool:
    """Whether a name of a secret is given what looks like one."""
    return any(_is_live(value, kind) for value, kind in _given(path, text))


def _given(path: str, text: str) -> Iterator[tuple[str, Kind]]:
    for shape in (_GIVEN, _WHERE_UNSET):
        for match in shape.finditer(text):
            yield match["value"], _kind(match)
    plugin = _keyword_plugin()
    for line in text.splitlines():
        name = _NAME.search(line)
        if name is None or len(line) > _LONGEST_LINE:
            continue
        for finding in plugin.analyze_line(path, line):
            value = str(finding.secret_value or "")
            if any(f"{quote}{value}" in line for quote in "\"'`"):  # it takes expressions, too
                yield value, _kind(name)


def _kind(name: re.Match[str]) -> Kind:
    return "password" if name["password"] else "key" if name["key"] else "token"


@cache
def _keyword_plugin() -> Any:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()


def _is_live(value: str, kind: Kind) -> bool:
    """Whether a literal is more than a placeholder."""
    value = _TEMPLATE.sub("", value)
    if len(value) < _SHORTEST or entropy_bits(value.encode()) < _LEAST_BITS:
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
        return any(len(piece) >= _SHORTEST for piece in with_digit) or (
            len(pieces) == 1 and len(max(words, key=len, default="")) >= _SHORTEST_TOKEN
        )
    return kind == "password" or bool(with_digit) or not re.fullmatch(r"[\w.\- ]*", value)


def _words(piece: str) -> list[str]:
    """The words of `camelCase`; what has a digit anywhere but at its end is not taken apart."""
    return _WORD.findall(piece) if _PLAIN_PIECE.fullmatch(piece) else [piece]


def _is_filling(word: str) -> bool:
    """Whether a word may stand beside a placeholder's: `my` in `my-secret-key`."""
    return len(word) < (_LONGEST_WORD if word.isalpha() else 5 if word.isdigit() else 4)
