"""Trim blanks no one wants: at line ends, doubled at the cursor, or nothing but blanks.

Blanks before text right of the cursor stay: there they part words or indent the suffix.
"""

from __future__ import annotations

import re
from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

_BEFORE_LINE_END = re.compile(r"[ \t]+(?=[\r\n])")


def trim_whitespace(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    text = _BEFORE_LINE_END.sub("", suggestion.text)
    if around.before.strip() and around.before[-1:] in (" ", "\t"):
        text = text.lstrip(" ")
    if not around.after.strip():
        text = text.rstrip()
    if not text.strip():
        return Drop("is blank")
    return replace(suggestion, text=text)
