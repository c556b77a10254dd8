"""Finds text that looks like a credential, so that no key ends up in a training set.

Patterns with a fixed shape only (private key blocks, cloud and forge tokens, long literals given
to names like `api_key`); a file with a hit is dropped whole, because removing one line would
leave broken code behind.

Invariant: the time is linear in the text, whatever it holds: the language server asks for every
file that it reads. So no shape looks at the same run of characters from each of its beginnings.
"""

from __future__ import annotations

import math
import re
from collections import Counter

# A literal that must be present (a fast search) and the shape around it.
_SHAPES = tuple(
    (literal, re.compile(shape))
    for literal, shape in (
        (b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY"),
        (b"AKIA", rb"\bAKIA[A-Z0-9]{16}\b"),
        (b"ASIA", rb"\bASIA[A-Z0-9]{16}\b"),
        (b"ghp_", rb"\bghp_[A-Za-z0-9]{36,}\b"),
        (b"gho_", rb"\bgho_[A-Za-z0-9]{36,}\b"),
        (b"ghs_", rb"\bghs_[A-Za-z0-9]{36,}\b"),
        (b"github_pat_", rb"\bgithub_pat_[A-Za-z0-9_]{40,}\b"),
        (b"glpat-", rb"\bglpat-[A-Za-z0-9_-]{20,}\b"),
        (b"xox", rb"\bxox[abprs]-[A-Za-z0-9-]{20,}\b"),
        (b"AIza", rb"\bAIza[A-Za-z0-9_-]{35}\b"),
        (b"sk_live_", rb"\bsk_live_[A-Za-z0-9]{20,}\b"),
        (b"sk-", rb"\bsk-[A-Za-z0-9]{40,}\b"),
        (b"npm_", rb"\bnpm_[A-Za-z0-9]{36}\b"),
        (b"pypi-", rb"\bpypi-[A-Za-z0-9_-]{60,}\b"),
        # From where a run of a token's characters begins, not from each `eyJ` in it: first what
        # is behind the run, then whether an `eyJ` in it is at the beginning of a word.
        (
            b".eyJ",
            rb"(?<![\w-])(?=[\w-]++\.eyJ[\w-]{15,}+\.[\w-]{20})(?:\w*+-)*?eyJ[\w-]{15}",
        ),
    )
)
_LITERAL = re.compile(rb"[\"']([A-Za-z0-9+/=_-]{24,200})[\"']")
_NAME_BEFORE = re.compile(
    rb"(?:password|passwd|secret|api_?key|access_?key|auth_?token|private_?key)\w*[\"']?\s*"
    rb"(?:=|:=|:)\s*$",
    re.IGNORECASE,
)
MIN_ENTROPY_BITS = 4.0


def entropy_bits(data: bytes) -> float:
    """Shannon entropy of the bytes, in bits per byte."""
    counts = Counter(data)
    return -sum(n / len(data) * math.log2(n / len(data)) for n in counts.values())


def holds_secret(data: bytes) -> bool:
    """Whether any part of `data` looks like a live credential."""
    for literal, shape in _SHAPES:
        if literal in data and shape.search(data):
            return True
    return any(
        entropy_bits(match[1]) >= MIN_ENTROPY_BITS
        and any(48 <= byte <= 57 for byte in match[1])
        and _NAME_BEFORE.search(data, max(0, match.start() - 60), match.start()) is not None
        for match in _LITERAL.finditer(data)
    )
