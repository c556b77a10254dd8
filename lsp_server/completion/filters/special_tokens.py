"""Drop a suggestion in which a token of the model leaked, or that is no text.

A mark that the neighbourhood itself uses (a tokenizer's source file, say) is left alone.
"""

from __future__ import annotations

import re

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

_LEAKED = re.compile(r"\[(?:MASK|PAD|DEL|BOF|EOF|CLS|SEP|UNK)\]|<\|\w{1,40}\|>|<(?:mask|pad|unk)>")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufffd\ud800-\udfff]")


def drop_special_tokens(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if _NO_TEXT.search(suggestion.text):
        return Drop("holds characters that are no text")
    for match in _LEAKED.finditer(suggestion.text):
        near = (around.before, around.after, *around.preceding, *around.following)
        if not any(match[0] in text for text in near):
            return Drop("holds a token of the model")
    return suggestion
