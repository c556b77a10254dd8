"""Literals that are given to a name such as `password`: live secrets, or placeholders?

`password = "..."` in the forms of the eight languages, with a type between them, as what is taken
where a variable of the environment is not set, and the other forms that the keyword detector of
detect-secrets looks for (compared, behind the name, in brackets; that one itself is not asked: a
line that names passwords a hundred times takes it a tenth of a second). What a literal says
decides: `"your-api-key"` and `"${DB_PASSWORD}"` hold nothing, `"correcthorsebatterystaple"` does.

Invariants: a placeholder's word counts where it is a whole word, so none in a part of a secret
(`latest` is no `test`) lets the rest pass; the time is linear in the text, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from diffusion.data.filters import language_of
from diffusion.data.secrets import entropy_bits

Kind = Literal["password", "key", "token"]
_NAMES = (
    r"(?:(?P<password>pass_?word|passwd|pwd|pass_?phrase|contrase|secret|(?:db|database|key)_?pass)"
    r"|(?P<key>(?:api|auth|service|account|access|signing|encryption|db|database|priv(?:ate)?"
    r"|client)[_-]?key)"
    r"|(?P<token>token(?!s|i[sz])))"
)
# What follows a name begins with none of the characters that go on with it, so nothing is gained by
# giving any of them back (`+` behind a quantifier), and each would be tried again and again.
_REST = r"[\w-]{0,80}+"
_TYPE = r"(?:\s{0,3}:\s{0,2}[&\w'<>\[\].*|]{1,30}(?:\s\w{1,10})?|\s[\w\[\]*.]{1,30})?"
_SIGN = (
    r"\s{0,3}+[ \t]{0,40}+(?:[:=!]?={1,3}>?|:|\|\||\?\?|\bor\b)\s{0,80}+(?:\(\s{0,40}+)?"
)
_LONGEST = 1000
_LITERAL = (
    r"[@rbful]{0,2}(?P<quote>[\"'`])(?P<value>(?:[^\"'`\n]|(?!(?P=quote))`)"
    rf"{{6,{_LONGEST}}}+)(?P=quote)"
)
_BEHIND_IT = (
    r"[^\s\"'`]{0,50}+[\"'`\])]{0,3}[ \t]{0,40}+"
    rf"(?P<quote_behind>[\"'`])(?P<behind>\w[^\"'`\n]{{5,{_LONGEST}}}+)(?P=quote_behind);"
)
_GIVEN = re.compile(
    rf"{_NAMES}{_REST}(?:(?:\[\d{{0,9}}\]|[\"'`\])]{{0,3}}){_TYPE}{_SIGN}{_LITERAL}|{_BEHIND_IT})",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    rf"([\"'`])[ \t]{{0,40}}+[!=]=={{0,1}}[ \t]{{0,40}}+[\w.$-]{{0,40}}?{_NAMES}", re.IGNORECASE
)
_MADE = re.compile(rf"{_NAMES}\w{{0,40}}+(?:\.assign)?[({{](?=\"\w){_LITERAL}")
"""How C++ makes a string; elsewhere it is a call, with something to say about a password."""
_WHERE_UNSET = re.compile(
    r"(?:get|env|config|property|option)\w{0,20}\(\s{0,3}[\"'`][\w.-]{0,40}"
    rf"{_NAMES}[\w.-]{{0,40}}[\"'`]\s{{0,3}},\s{{0,40}}(?:default\w{{0,8}}\s?=\s?)?{_LITERAL}",
    re.IGNORECASE,
)
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
    made = (_MADE,) if language_of(path) == "cpp" else ()
    for shape in (_GIVEN, _WHERE_UNSET, *made):
        for match in shape.finditer(text):
            groups = match.groupdict()
            yield groups["value"] or groups["behind"], _kind(match)
    for match in _COMPARED.finditer(text):
        opening = text.rfind(match[1], max(0, match.start() - _LONGEST), match.start())
        value = text[opening + 1 : match.start()]
        if opening >= 0 and re.fullmatch(r"\w[^\"'`\n]{5,}", value):
            yield value, _kind(match)


def _kind(name: re.Match[str]) -> Kind:
    return "password" if name["password"] else "key" if name["key"] else "token"


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
