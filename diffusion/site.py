"""Where candidates are judged: the document around a hole, and what a text does to its syntax.

Where brackets are left open above (a file that is being typed has no end yet), the text is judged
in the document that closes them.

Invariants: documents without a grammar always parse, and so does what there is no time to look at;
nothing here knows a model; where the document parses without a text, only errors are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import tree_sitter

from diffusion.text.enclosure import last_code_byte, next_code_byte
from diffusion.text.indented import faults
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.syntax import SyntaxTree
from diffusion.text.unclosed import Unclosed

MOST_ERRORS = 3
"""More are not told apart."""


@dataclass(frozen=True)
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

    @cached_property
    def errors(self) -> int:
        """Errors of the document without a text."""
        return self.tree.error_count() + _faults(self, self.tree, self.end)

    @cached_property
    def unclosed(self) -> Unclosed:
        """What is left open above the hole's line, of a document that is broken."""
        return Unclosed(self.data, self.start, self.end, self.tree.language)

    @cached_property
    def errors_if_closed(self) -> int | None:
        """Errors of the document once it is closed, were the hole's line not there.

        None where some are at that place, or where nothing is to be closed.
        """
        tail = self.unclosed.tail_without_line()
        if tail is None:
            return None
        at = self.unclosed.line_start
        closed = self.allowance.edited(self.tree, at, len(self.data), tail)
        known = closed.parsed and not closed.has_error(*_stretch(closed.data, at, at))
        return closed.error_count() if known else None


@dataclass(frozen=True, slots=True)
class Syntax:
    """What a text does: whether it `parses`, and the document's errors with it, if known."""

    parses: bool
    errors: int | None = None


def syntax_of(site: Site, text: bytes) -> Syntax:
    """Look at `text` in the hole.

    It parses if the document is no worse than without it. An error that touches the inserted
    lines counts even if the document had as many before, unless it comes from above the hole's
    line and was at the hole before. Where the document is closed at its end and sound at the hole
    then, the text is judged in that document. In a sound document only a text that breaks all the
    rest takes long to parse, so that it has an error.
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
    before, over = site.errors, site.allowance.over
    closed = _closed(site, text) if site.tree.error_count() else None
    if closed is not None:
        return closed
    after = site.allowance.edited(site.tree, site.start, site.end, text)
    if not after.parsed:
        return Syntax(over or before > 0)
    count = after.error_count() + _faults(site, after, site.start + len(text))
    if count != before:
        return Syntax(count < before, count)
    return Syntax(not count or not _worse_here(site, after, text), count)


def _faults(site: Site, tree: SyntaxTree, end: int) -> int:
    """What is wrong with blocks made by indentation, and the grammar does not see.

    Only of whole lines: who has begun one may well be told the head of a block that has no body
    yet.
    """
    whole = not site.data[site.unclosed.line_start : site.start].strip()
    return faults(tree, site.start, end) if whole else 0


def _worse_here(site: Site, after: SyntaxTree, text: bytes) -> bool:
    """Whether errors touch the text that do not come from above, where as many touched the hole.

    Of a text that an error from above encloses, the tree says no more than that; so its brackets
    have to match.
    """
    touching = list(after.errors(site.start, site.start + len(text)))
    if not touching:
        return False
    line_start = site.unclosed.line_start
    before = site.tree.errors(*_stretch(site.data, site.start, site.end))
    came_from_above = sum(_begins(node) < line_start for node in before)
    if any(_begins(node) >= line_start for node in touching) or len(touching) > came_from_above:
        return True
    return any(node.is_error for node in touching) and not site.unclosed.balanced_with(text)


def _stretch(data: bytes, start: int, end: int) -> tuple[int, int]:
    """From the last code before a hole to the first behind it.

    The grammar puts a missing token right behind what it misses it after, before the blanks.
    """
    below = next_code_byte(data, end)
    return max(0, last_code_byte(data, start)), len(data) if below < 0 else below


def _begins(node: tree_sitter.Node) -> int:
    """Where an error begins; of a missing token, what lacks it."""
    parent = node.parent if node.is_missing else None
    return node.start_byte if parent is None else parent.start_byte


def _closed(site: Site, text: bytes) -> Syntax | None:
    """What `text` does once what is open above is closed; None if that does not tell."""
    tail = site.unclosed.tail(text)
    if tail is None:
        return None
    after = site.allowance.edited(site.tree, site.start, len(site.data), tail)
    if not after.parsed:
        return None
    errors = after.error_count()
    if not errors:
        return Syntax(True, 0)
    least = site.errors_if_closed
    if least is None:
        return None
    if errors > least or after.has_error(site.start, site.start + len(text)):
        return Syntax(False, errors)
    return Syntax(True, min(errors, site.errors))


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
    least = 0 if sound else site.errors
    return {
        name: 0 if found.errors is None else min(MOST_ERRORS, max(0, found.errors - least))
        for name, found in texts.items()
    }
