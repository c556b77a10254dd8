"""Values that are given to a name such as `password`: live secrets, or placeholders?

`password = "..."` in the forms of the eight languages: with a type between them, behind a call
that only wraps it, in adjacent literals, as what is taken where something else is not there, as
an argument behind the name or of its setter, by `#define`; unquoted in strings and comments, in
connection strings and addresses; and the other forms that the keyword detector of detect-secrets
looks for (compared, behind the name, in brackets; that one itself is not asked: a line that names
passwords a hundred times takes it a tenth of a second). `secret_values` says what is live.

Invariant: the time is linear in the text, whatever it holds: a shape is tried where a name is,
looks at a bounded number of characters, and gives none of them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from diffusion.data.filters import language_of
from diffusion.data.secret_values import SHORTEST, Kind, is_live, is_strong
from diffusion.data.text_spans import TextSpans

_NAMES = (
    r"(?:(?P<password>pass_?word|passwd|pwd|pass_?phrase|contrase|secret|(?:db|database|key)_?pass)"
    r"|(?P<key>(?:api|auth|service|account|access|signing|encryption|db|database|priv(?:ate)?"
    r"|client)[_-]?key)"
    r"|(?P<token>token(?!s|i[sz])))"
)
_LONGEST = 1000
# What follows a name begins with none of the characters that go on with it, so nothing is gained by
# giving any of them back (`+` behind a quantifier), and each would be tried again and again.
_REST = r"[\w-]{0,80}+"
_CLOSED = r"(?:\[\d{0,9}\]|\\{0,3}[\"'`\])]{0,3})"
_TYPE = r"(?:\s{0,3}:\s{0,2}[&\w'<>\[\].*|]{1,30}(?:\s\w{1,10})?|\s[\w\[\]*.]{1,30})?"
_EQUALS = r"\s{0,3}+[ \t]{0,40}+(?:[:=!]?={1,3}>?|:|\|\||\?\?|\bor\b)\s{0,80}+(?:\\\s{1,80}+)?"
_CALLS = r"(?:(?:new\s{1,9}+)?(?P<call>[&\w:.\[\]<>*]{0,40}+)\(\s{0,40}+){0,3}+"
_LITERAL = (
    r"[@$rbful]{0,2}\#{0,3}(?:"
    r"(?:\"{3}|'{3})\\?\s{0,40}+(?P<triple>[^\"'\n]{6,1000}+)"
    r"|\\{1,3}[\"'](?P<escaped>[^\"'\\\n]{6,1000}+)\\{1,3}[\"']"
    r"|\"(?P<double>(?:[^\"\\\n]|\\.){6,1000}+)\""
    r"|'(?P<single>(?:[^'\\\n]|\\.){6,1000}+)'"
    r"|`(?P<backtick>[^`\n]{6,1000}+)`)"
)
_PART = r"[rbful]{0,2}(?!\"{3}|'{3})(?:\"[^\"\n]{0,200}+\"|'[^'\n]{0,200}+')"


def _parts(space: str) -> str:
    """Literals beside one another; what says where one may end and the next begin is `space`."""
    return rf"(?P<parts>{_PART}(?:{space}{{0,80}}+(?:\\\s{{1,80}}+)?{_PART}){{1,12}}+)"


_CONDITION = r"(?:[^\n\"'`;,{}?|]|\"[\w.-]{0,40}+\"|'[\w.-]{0,40}+'){0,80}"
_INSTEAD = (
    rf"(?:{_CONDITION}+(?:\?\??\s{{0,9}}+|\?[^\n\"'`;,{{}}?:]{{0,60}}+:\s{{0,9}}+|\|\|\s{{0,9}}+)"
    rf"|{_CONDITION}?\b(?:or|else)\b\s{{0,9}}+)"
)


def _shape(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_NAME = _shape(_NAMES)
_SIGNED = rf"{_REST}{_CLOSED}{_TYPE}{_EQUALS}"
_IS_SIGNED = _shape(_SIGNED)
_GIVEN = _shape(rf"{_SIGNED}{_CALLS}{_LITERAL}")
_OTHERWISE = _shape(rf"{_SIGNED}{_INSTEAD}{_LITERAL}")
_IN_BRACKETS = _shape(_SIGNED + r"\(\s{0,40}+" + _parts(r"\s"))
_ON_A_LINE = _shape(_SIGNED + _parts(r"[ \t]"))
_ON_LINES = _shape(_SIGNED + _parts(r"\s"))
_BEHIND_IT = _shape(
    rf"{_REST}[^\s\"'`]{{0,50}}+[\"'`\])]{{0,3}}[ \t]{{0,40}}+"
    rf"(?P<quote>[\"'`])(?P<behind>\w[^\"'`\n]{{5,{_LONGEST}}}+)(?P=quote);"
)
_CALLED = _shape(rf"\w{{0,40}}+(?:\.assign)?[({{](?=\"\w){_LITERAL}")
"""How C++ makes a string; elsewhere it is a call, with something to say about a password."""
_SET = _shape(rf"{_REST}\(\s{{0,40}}+{_CALLS}{_LITERAL}")
_DEFINED = _shape(rf"{_REST}[ \t]{{1,40}}+(?:\\\s{{1,80}}+)?L?{_LITERAL}")
_ARGUMENT = _shape(rf"[\w.-]{{0,40}}+[\"'`]\s{{0,3}},\s{{0,40}}+{_CALLS}{_LITERAL}")
_BARE = _shape(
    rf"{_REST}\\{{0,3}}[\"'`]?(?P<sign>[ \t]{{0,8}}+[=:]\s{{0,8}}+)"
    r"(?P<bare>[^\s\"'`,;&<>()\[\]{}|\\=]{6,200}+={0,2})(?P<next>[\s\S]?)"
)
_COMPARED = _shape(
    rf"([\"'`])[ \t]{{0,40}}+[!=]=={{0,1}}[ \t]{{0,40}}+[\w.$-]{{0,40}}?{_NAMES}"
)
_WHERE_UNSET = _shape(
    r"(?:get|env|config|property|option)\w{0,20}\(\s{0,3}[\"'`][\w.-]{0,40}"
    rf"{_NAMES}[\w.-]{{0,40}}[\"'`]\s{{0,3}},\s{{0,40}}(?:default\w{{0,8}}\s?=\s?)?{_LITERAL}"
)
_ADDRESS = _shape(
    r"://:(?P<first>[^\s/:@\"'`{}<>]{6,100}+)@"
    r"|:(?P<second>[^\s/:@\"'`{}<>]{6,100}+)@(?:tcp|unix|udp)\("
)
_WRAPS = _shape(
    r"(?:.*[.:])?(?:from|bytes?|bytearray|\[\]byte|str(?:ing)?|secret(?:str|string|bytes)?"
    r"|some|new|to_?string|of|view|string_view)?"
)
"""Calls that give back what they are given, so far as it matters here."""
_SETTER = _shape(r"(?:set|with)\w{0,30}$|\.$")
_DEFINE = _shape(r"#\s{0,3}define\s{1,9}\w{0,40}$")
_FIRST = _shape(r"(?P<function>\w{0,40})\(\s{0,9}[\"'`][\w.-]{0,40}$")
_PUTS = _shape(r".*(?:put|set|env|add|append|insert|property|header|emplace)\w{0,12}")
_FARTHEST = 800
"""Characters behind a name within which the quote of what it is given stands."""
_QUOTES, _CHOICES = ("\"", "'", "`"), ("?", "||", "or ", "else ")
_BETWEEN = (";", "&", "?")
_SPACE = re.compile(r"\s")
_QUOTED = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'")


def given_secret(path: str, text: str) -> bool:
    """Whether a name of a secret is given what looks like one."""
    spans, language = TextSpans(path, text), language_of(path)
    read_to = 0
    for name in _NAME.finditer(text):
        if _at_name(language, text, name):
            return True
        if name.start() < read_to or (match := _BARE.match(text, name.end())) is None:
            continue
        read_to = match.end("bare")
        if _is_bare(text, name, match, spans):
            return True
    return any(is_live(value, kind) for value, kind in _around(text))


def _holds_any(text: str, words: tuple[str, ...], start: int, end: int) -> bool:
    return any(text.find(word, start, end) >= 0 for word in words)


def _at_name(language: str | None, text: str, name: re.Match[str]) -> bool:
    """Whether what stands around a name gives it a secret."""
    kind, at = _kind(name), name.end()
    if not _holds_any(text, _QUOTES, at, at + _FARTHEST):
        return False
    if _IS_SIGNED.match(text, at) and _is_given(language, text, at, kind):
        return True
    for shape in (_BEHIND_IT, *((_CALLED,) if language == "cpp" else ())):
        if (match := shape.match(text, at)) and _gives(match, kind):
            return True
    return _is_argument(text, name, kind)


def _is_given(language: str | None, text: str, at: int, kind: Kind) -> bool:
    """Whether a sign behind the name, which ends at `at`, gives it a secret."""
    choice = _holds_any(text, _CHOICES, at, at + _FARTHEST)
    for shape in (_GIVEN, _OTHERWISE) if choice else (_GIVEN,):
        if (match := shape.match(text, at)) and _gives(match, kind):
            return True
    beside = _ON_LINES if language in ("c", "cpp") else _ON_A_LINE
    match = beside.match(text, at) or _IN_BRACKETS.match(text, at)
    if match is None:
        return False
    return is_live("".join(a or b for a, b in _QUOTED.findall(match["parts"])), kind)


def _is_argument(text: str, name: re.Match[str], kind: Kind) -> bool:
    """Whether a call that sets the name, or a definition of it, has a secret for it."""
    at, before = name.end(), text[max(0, name.start() - 100) : name.start()]
    if (match := _SET.match(text, at)) and _SETTER.search(before):
        plain = not before.endswith(".")
    elif match := _DEFINED.match(text, at):
        return _DEFINE.search(before) is not None and _gives(match, kind)
    elif (match := _ARGUMENT.match(text, at)) and (first := _FIRST.search(before)):
        plain = _PUTS.fullmatch(first["function"]) is not None
    else:
        return False
    value = _value(match)
    return is_strong(value, kind) or (plain and not _SPACE.search(value) and _gives(match, kind))


def _gives(match: re.Match[str], kind: Kind) -> bool:
    value, call = _value(match), match["call"] if "call" in match.re.groupindex else None
    if match.lastgroup == "triple" and _SPACE.search(value) and "=" not in _sign(match):
        return False  # what a function with such a parameter says of itself
    if call and not _WRAPS.fullmatch(call):
        return is_strong(value, kind)
    return is_live(value, kind)


def _is_bare(
    text: str, name: re.Match[str], match: re.Match[str], spans: TextSpans
) -> bool:
    """Whether an unquoted value is a secret: in strings and comments alone, not in code."""
    kind, value = _kind(name), match["bare"].rstrip(".!?:*")
    between = match["next"], text[max(0, name.start() - 1) : name.start()]
    in_list = kind == "password" and match["sign"] == "=" and any(c in _BETWEEN for c in between)
    if not (is_strong(value, kind) or (in_list and is_live(value, kind))):
        return False
    span = spans.span(name.start())
    return span is not None and match.end("bare") <= span[1] and match["next"] not in "([{"


def _around(text: str) -> Iterator[tuple[str, Kind]]:
    """What is found with something before the name, or without one."""
    for match in _WHERE_UNSET.finditer(text):
        yield _value(match), _kind(match)
    for match in _COMPARED.finditer(text):
        opening = text.rfind(match[1], max(0, match.start() - _LONGEST), match.start())
        value = text[opening + 1 : match.start()]
        if opening >= 0 and re.fullmatch(rf"\w[^\"'`\n]{{{SHORTEST - 1},}}", value):
            yield value, _kind(match)
    for match in _ADDRESS.finditer(text):
        yield match["first"] or match["second"], "password"


def _value(match: re.Match[str]) -> str:
    return match[match.lastgroup or 0]  # the literal is the last group of every shape


def _sign(match: re.Match[str]) -> str:
    return match.string[match.start() : match.start("triple")]


def _kind(name: re.Match[str]) -> Kind:
    return "password" if name["password"] else "key" if name["key"] else "token"
