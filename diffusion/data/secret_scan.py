"""The strict search for secrets: what a repository's own code goes through before it is learned.

Two lists are asked: the fixed shapes of `data.secrets`, and every detector of detect-secrets but
the one for addresses (a number is no secret). A file with a hit is left out whole. It is stricter
than the corpus pipeline, which reads published code: here a false alarm costs one file, and a
miss costs a key.

Invariant: the text of a finding never leaves this module; only its kind is told.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from functools import cache
from pathlib import PurePosixPath
from typing import Any

from diffusion.data.secrets import entropy_bits, holds_secret

_SECRET_NAME = re.compile(
    r"^\.?(?:env|secrets?|credentials?|passwords?)(?:[._-].*)?$", re.IGNORECASE
)
_MORE_SHAPES = re.compile(
    r"\b\d{8,10}:[A-Za-z0-9_-]{33,36}\b|\bsk-[A-Za-z0-9_-]{32,}|\bhf_[A-Za-z0-9]{30,}"
    r"|\bdop_v1_[0-9a-f]{40,}|\b(?:s|r)k_(?:live|test)_[A-Za-z0-9]{20,}"
    r"|\bAccountKey=[A-Za-z0-9+/=]{40,}"
)
"""Shapes that detect-secrets lacks, or looks for in a line of its own only."""
_BASE64_BITS, _HEX_BITS = 4.5, 3.0
_SHORTEST_RANDOM = 20
_KEYWORD_BITS = 2.5
_SHORTEST_KEYWORD = 6
_PLACEHOLDER = re.compile(
    r"^(?:[\w.-]*(?:example|changeme|placeholder|dummy|test|fake|secret|password|token|key|none|null)"
    r"[\w.-]*|<.*>|\{.*\}|\$\{?.*|%.*|x+|\*+|\.+)$",
    re.IGNORECASE,
)


def secret_kind(path: str, data: bytes) -> str | None:
    """What kind of secret the file seems to hold (or its name promises), or None."""
    if _SECRET_NAME.match(PurePosixPath(path).stem):
        return "name of a secrets file"
    if holds_key(data):
        return "key or token"
    text = data.decode("utf-8", "replace")
    for plugin, kind in _shapes():
        for shape in plugin.denylist:
            if shape.search(text):
                return kind
    return _keyword(path, text) or _random_literal(text)


def holds_key(data: bytes) -> bool:
    """Whether the text has something of the fixed shape of a key or token: the fast part."""
    return holds_secret(data) or bool(_MORE_SHAPES.search(data.decode("utf-8", "replace")))


@cache
def _shapes() -> tuple[tuple[Any, str], ...]:
    """The detectors of detect-secrets that look for a fixed shape, with their names."""
    import detect_secrets.plugins as package
    from detect_secrets.plugins.base import RegexBasedDetector

    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(package.__path__):
        if module.name in ("base", "ip_public", "keyword", "high_entropy_strings"):
            continue
        for value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).values():
            if (
                isinstance(value, type)
                and issubclass(value, RegexBasedDetector)
                and value is not RegexBasedDetector
            ):
                found[value.__name__] = value()
    return tuple((plugin, str(plugin.secret_type)) for _, plugin in sorted(found.items()))


@cache
def _keyword_plugin() -> Any:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()


_KEYWORD = re.compile(
    r"(?i)api_?key|auth_?key|service_?key|account_?key|db_?key|priv(?:ate)?_?key|client_?key"
    r"|db_?pass|key_?pass|password|passwd|\bpwd|secret|contrase|token"
)


def _keyword(path: str, text: str) -> str | None:
    """A literal given to a name such as `password` that looks like more than a placeholder."""
    plugin = _keyword_plugin()
    for line in text.splitlines():
        if not _KEYWORD.search(line) or len(line) > 2000:
            continue
        for finding in plugin.analyze_line(path, line):
            value = str(finding.secret_value or "")
            random = entropy_bits(value.encode()) >= _KEYWORD_BITS and (
                any(c.isdigit() for c in value) or any(not c.isalnum() for c in value)
            )
            plain = re.fullmatch(r"[A-Za-z_][\w.\- ]*", value) and not re.search(r"\d", value)
            if (
                len(value) >= _SHORTEST_KEYWORD
                and random
                and not plain
                and not _PLACEHOLDER.match(value)
            ):
                return "literal given to a secret's name"
    return None


_LITERAL = re.compile(r"([\"'`])([A-Za-z0-9+/=_-]{20,500})\1")
_HEX = re.compile(r"[0-9a-fA-F]+")


def _random_literal(text: str) -> str | None:
    """A quoted literal whose characters are as mixed as those of a random key."""
    for match in _LITERAL.finditer(text):
        value = match[2]
        bits = entropy_bits(value.encode())
        if _HEX.fullmatch(value):
            if bits > _HEX_BITS and len(value) >= 32:
                return "random hexadecimal literal"
        elif (
            len(value) >= _SHORTEST_RANDOM
            and bits > (_BASE64_BITS if len(value) > 30 else 4.0)
            and any(c.isdigit() for c in value)
            and any(c.isupper() for c in value)
            and any(c.islower() for c in value)
        ):
            return "random literal"
    return None
