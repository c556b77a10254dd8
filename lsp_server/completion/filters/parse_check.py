"""Drop a suggestion that adds a syntax error, when nobody asked for one (`syntax.check`).

Of a text as the engine gave it the engine says so. One that a filter has changed is parsed here,
incrementally, in the document as it is, and errors are counted; a document that was broken before
may stay as broken. An explicit request is answered all the same. Without a grammar, or where it
takes too long to parse, all candidates of the answer together, nothing is dropped.
"""

from __future__ import annotations

from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings
from lsp_server.document import to_bytes


def drop_broken_syntax(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if not around.automatic or not around.check_syntax or suggestion.parses:
        return suggestion
    if suggestion.parses is False:
        return Drop("adds a syntax error")
    if around.allowance.over:
        return suggestion
    tree = around.document.tree()
    text = to_bytes(suggestion.text)
    after = around.allowance.edited(tree, suggestion.start, suggestion.end, text)
    if not after.parsed:
        return suggestion
    added = after.error_count() - tree.error_count()
    if added > 0:
        return Drop(f"adds {added} syntax error{'s' if added > 1 else ''}")
    return suggestion
