"""The strict search for secrets: what a repository's own code goes through before it is learned.

Asked are the fixed shapes of `data.secrets` and of detect-secrets (without the one for addresses:
a number is no secret), what names like `password` are given (`given_secrets`), and every word of
a literal that looks random. A file with a hit is left out whole. It is stricter than the corpus
pipeline, which reads published code: here a false alarm costs one file, and a miss costs a key.

Invariants: the text of a finding never leaves this module; only its kind is told. The time is
linear in the text, whatever it holds.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from diffusion.data.given_secrets import given_secret
from diffusion.data.secrets import entropy_bits, holds_secret
from diffusion.data.text_spans import TextSpans

VERSION = 4
"""Another one means that files may be judged otherwise: what was found clean is searched again."""
_SECRET_NAME = re.compile(
    r"^\.?(?:env|secrets?|credentials?|passwords?)(?:[._-].*)?$", re.IGNORECASE
)
_MORE_SHAPES = re.compile(
    r"\b\d{8,10}:[A-Za-z0-9_-]{33,36}\b|\bsk-[A-Za-z0-9_-]{32,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bdop_v1_[0-9a-f]{40,}|\b(?:s|r)k_(?:live|test)_[A-Za-z0-9]{20,}"
    r"|\bAccountKey=[A-Za-z0-9+/=]{40,}"
)
"""Shapes that detect-secrets lacks, or looks for in a line of its own only."""
_SQUARE = ("jwt", "npm", "openai")
"""Detectors of detect-secrets whose time grows with the square of a line; below, what they find."""
_INSTEAD = re.compile(
    r"/:_authToken=\s{0,40}+(?:npm_.|[A-Fa-f0-9-]{36})"
    r"|(?<=[A-Za-z0-9]{20})T3BlbkFJ[A-Za-z0-9]{20}"
)
_WEB_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_=-])(?=[A-Za-z0-9_=-]++\.[A-Za-z0-9_=-])[A-Za-z0-9_=-]*?eyJ[A-Za-z0-9_=-]"
)
_SPACES = re.compile(" {4,}")
"""No shape asks for more than one, and several allow for any number in two places or three."""


def secret_kind(path: str, data: bytes) -> str | None:
    """What kind of secret the file seems to hold (or its name promises), or None."""
    if _SECRET_NAME.match(PurePosixPath(path).stem):
        return "name of a secrets file"
    if holds_key(data):
        return "key or token"
    text = data.decode("utf-8", "replace")
    kind = _fixed_shape(text)
    if kind is not None:
        return kind
    if given_secret(path, text):
        return "literal given to a secret's name"
    return _random_literal(path, text)


def holds_key(data: bytes) -> bool:
    """Whether the text has something of the fixed shape of a key or token: the fast part."""
    return holds_secret(data) or bool(_MORE_SHAPES.search(data.decode("utf-8", "replace")))


def _fixed_shape(text: str) -> str | None:
    if _INSTEAD.search(text) or ("eyJ" in text and _WEB_TOKEN.search(text)):
        return "key or token"
    squeezed = _SPACES.sub("   ", text)
    for plugin, kind in _shapes():
        if any(shape.search(squeezed) for shape in plugin.denylist):
            return kind
    return None


@cache
def _shapes() -> tuple[tuple[Any, str], ...]:
    """The detectors of detect-secrets that look for a fixed shape, with their names."""
    import detect_secrets.plugins as package
    from detect_secrets.plugins.base import RegexBasedDetector

    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name in ("base", "ip_public", "keyword", "high_entropy_strings", *_SQUARE):
            continue
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if (
                isinstance(value, type)
                and issubclass(value, RegexBasedDetector)
                and value is not RegexBasedDetector
            ):
                found[value.__name__] = value()
    return tuple((plugin, str(plugin.secret_type)) for _, plugin in sorted(found.items()))


_RUN = re.compile(
    r"(?:(?<=[\s\"'`])|(?<=\\[nrt]))[A-Za-z0-9+/=_-]{20,500}+(?=[\s\"'`]|\\[nrt\"'])"
)
_QUOTES = ('""', "''", "``")
_HEX = re.compile(r"[0-9a-fA-F]+")
_PUBLIC = re.compile(
    r"[0-9a-fA-F]{8}(?:[-_][0-9a-fA-F]{4}){3}[-_][0-9a-fA-F]{12}|0x[0-9a-fA-F]{40}(?![0-9a-fA-F])"
)
"""UUIDs and addresses of a block chain: names that were drawn by lot, and no secrets."""
_SHORTEST_RANDOM, _SHORTEST_HEX = 20, 32
_MIXED_BITS, _MIXED_BITS_IF_LONG, _LONG = 4.0, 4.5, 30
_HEX_BITS, _CHANGES_BITS = 3.0, 3.2
_CHANGES = 0.15
"""Changes between letters and digits, a character, from which on a literal looks random. Names
have fewer; of 9,300 files of 176 packages, 0.3 % hold a literal with as many that was not random
in another way."""


def _random_literal(path: str, text: str) -> str | None:
    """A word of a literal whose characters are as mixed as those of a random key."""
    spans = TextSpans(path, text)
    for match in _RUN.finditer(text):
        kind = _random(match[0])
        if kind is None:
            continue
        around = text[match.start() - 1] + text[match.end()]
        if around in _QUOTES or spans.in_string(match.start()):
            return kind
    return None


def _random(run: str) -> str | None:
    value = _PUBLIC.sub("", run)
    bits = entropy_bits(value.encode()) if value else 0.0
    if _HEX.fullmatch(value.removeprefix("0x")):
        if bits > _HEX_BITS and len(value) >= _SHORTEST_HEX:
            return "random hexadecimal literal"
    elif len(value) >= _SHORTEST_RANDOM and (_is_mixed(value, bits) or _changes(value, bits)):
        return "random literal"
    return None


def _is_mixed(value: str, bits: float) -> bool:
    """Capitals, small letters and digits, each character about as often."""
    return (
        bits > (_MIXED_BITS_IF_LONG if len(value) > _LONG else _MIXED_BITS)
        and any(c.isdigit() for c in value)
        and any(c.isupper() for c in value)
        and any(c.islower() for c in value)
    )


def _changes(value: str, bits: float) -> bool:
    """Letters and digits in turn: also where all letters are small, or all are capitals."""
    changes = sum(
        (a.isdigit() and b.isalpha()) or (a.isalpha() and b.isdigit())
        for a, b in pairwise(value)
    )
    return bits > _CHANGES_BITS and changes >= _CHANGES * len(value)
