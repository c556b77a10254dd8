"""A document as one line of JSON that every program can read.

Invariant: ASCII without lone surrogates. stdout may have any encoding, and strict readers refuse
a whole document for one. Python puts one in the place of every byte of a file's name that is no
UTF-8; it becomes U+FFFD.
"""

from __future__ import annotations

import json
import re
from typing import Any

_LONE = re.compile("[\ud800-\udfff]")
"""Python's texts hold no pairs."""


def json_line(document: Any) -> str:
    """The line, without its end."""
    return json.dumps(_readable(document))


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return _LONE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_readable(key): _readable(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(inner) for inner in value]
    return value
