"""Indent the further lines of a suggestion with what the document indents with."""

from __future__ import annotations

import re
from dataclasses import replace

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings

_LEADING = re.compile(r"[ \t]+")


def match_indentation(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if around.indent is None or around.line_end not in suggestion.text:
        return suggestion
    first, *rest = suggestion.text.split(around.line_end)
    changed = (_indent(line, around) for line in rest)
    return replace(suggestion, text=around.line_end.join((first, *changed)))


def _indent(line: str, around: Surroundings) -> str:
    found = _LEADING.match(line)
    if not found:
        return line
    old, width = found[0], around.indent_width
    if around.indent == "spaces":
        return old.replace("\t", " " * width) + line[found.end() :]
    if "\t" in old or len(old) < width:
        return line  # alignment after tabs, or less than one level
    tabs, spaces = divmod(len(old), width)
    return "\t" * tabs + " " * spaces + line[found.end() :]
