"""End lines the way the document does."""

from __future__ import annotations

import re
from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

_ANY = re.compile(r"\r\n|\r|\n")


def match_line_endings(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    return replace(suggestion, text=_ANY.sub(around.line_end, suggestion.text))
