"""Drop a suggestion that adds a syntax error, when nobody asked for one (`syntax.check`).

The document with the suggestion in it is parsed incrementally and its errors are counted; a
document that was broken before may stay as broken. An explicit request is answered all the
same. Without a grammar nothing is dropped.
"""

from __future__ import annotations

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings
from lsp_server.document import to_bytes


def drop_broken_syntax(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if not around.automatic or not around.check_syntax:
        return suggestion
    tree = around.document.tree()
    if not tree.parsed:
        return suggestion
    text, data = to_bytes(suggestion.text), around.document.data
    filled = data[: suggestion.start] + text + data[suggestion.end :]
    after = tree.edit(suggestion.start, suggestion.end, suggestion.start + len(text), filled)
    added = after.error_count() - tree.error_count()
    if added > 0:
        return Drop(f"adds {added} syntax error{'s' if added > 1 else ''}")
    return suggestion
