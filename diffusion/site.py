"""Where candidates are judged: the document around a hole, and what a text does to its syntax.

Invariants: documents without a grammar always parse, and so does what there is no time to look at;
nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.syntax import SyntaxTree

MOST_ERRORS = 3
"""More are not told apart."""


@dataclass(frozen=True, slots=True)
class Site:
    """The document around the hole that candidates are judged in."""

    tree: SyntaxTree
    data: bytes
    start: int
    end: int
    language: str
    kind: str
    suffix: str = ""
    """Text that every candidate ends with: the newline of an inserted line, or nothing."""
    allowance: ParseAllowance = field(default_factory=ParseAllowance)
    looked_at: dict[bytes, Syntax] = field(default_factory=dict, compare=False, repr=False)
    """What was found out: quotes are looked at before the model is asked, and again with it."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a text does: whether it `parses`, and the document's errors with it, if known."""

    parses: bool
    errors: int | None = None


def syntax_of(site: Site, text: bytes) -> Syntax:
    """Look at `text` in the hole.

    It parses if the document is no worse than without it. An error that touches the inserted
    lines counts even if the document had as many before, unless the document was already broken
    there. In a sound document only a text that breaks all the rest takes long to parse, so that it
    has an error.
    """
    if text not in site.looked_at:
        found = _looked_at(site, text)
        if found.errors is None and site.tree.parsed:
            return found  # there may be time for it later
        site.looked_at[text] = found
    return site.looked_at[text]


def _looked_at(site: Site, text: bytes) -> Syntax:
    if not site.tree.parsed:
        return Syntax(True)
    before, over = site.tree.error_count(), site.allowance.over
    after = site.allowance.edited(site.tree, site.start, site.end, text)
    if not after.parsed:
        return Syntax(over or before > 0)
    count = after.error_count()
    if count != before:
        return Syntax(count < before, count)
    return Syntax(not count or not after.has_error(site.start, site.start + len(text)), count)


def adds_no_error(site: Site, text: bytes) -> bool:
    """Whether the document parses no worse with `text` in the hole, see `syntax_of`."""
    return syntax_of(site, text).parses


def errors_more(site: Site, texts: Mapping[str, Syntax]) -> dict[str, int]:
    """How many errors each of the texts for a hole leaves that need not be, `MOST_ERRORS` at most.

    Taking text out often breaks a document (a bracket is closed in the hole), and then a text may
    add no error and yet be half of one. Where one text makes the whole document sound, the others
    are held to that; else, as it may be broken elsewhere, to what it was without a text.
    """
    sound = any(found.errors == 0 for found in texts.values())
    least = 0 if sound else site.tree.error_count()
    return {
        name: 0 if found.errors is None else min(MOST_ERRORS, max(0, found.errors - least))
        for name, found in texts.items()
    }
