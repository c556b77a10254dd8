"""Drop a suggestion that adds a syntax error, when nobody asked for one (`syntax.check`).

Of a text as the engine gave it the engine says so. One that a filter has changed is looked at
here, in the document as it is, by the same rule (`diffusion.site`); what is found is kept with it.
An explicit request is answered all the same. Without a grammar, or where it takes too long to
parse, all candidates of the answer together, nothing is dropped.
"""

from __future__ import annotations

from dataclasses import replace

from diffusion.site import Site, adds_no_error
from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.context import Surroundings
from lsp_server.document import to_bytes


def drop_broken_syntax(suggestion: Suggestion, around: Surroundings) -> Suggestion | Drop:
    if not around.check_syntax:
        return suggestion
    parses = suggestion.parses
    if parses is None:
        document = around.document
        site = Site(
            document.tree(), document.data, suggestion.start, suggestion.end,
            language=document.grammar, kind="", allowance=around.allowance,
        )  # fmt: skip
        parses = adds_no_error(site, to_bytes(suggestion.text))
    if around.automatic and not parses:
        return Drop("adds a syntax error")
    return replace(suggestion, parses=parses)
