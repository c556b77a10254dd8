"""From quotes to candidates: which texts of the document fit the hole, as slots of its canvas.

Job: `text.quotes` finds texts; this file lays them where a canvas would write them.
`candidates.rank` then weighs them beside what the model wrote itself, by how alike the places are
and by what the canvases say. The model does not look at them (docs/decisions/0017).

Invariants: a quote fits the room that a canvas at this hole has; the order is that of likeness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from diffusion.process.overheard import Overheard
from diffusion.text.canvas import Placement
from diffusion.text.quotes import Quote
from diffusion.text.tokenizer import Tokenizer

LONGEST_QUOTE = 48
"""Slots of a quote; the bundled ranking was fitted with this limit."""


@dataclass(frozen=True, slots=True)
class PlacedQuote:
    """A quote, its place in the order of likeness, and its slots.

    `said`: what the canvases' passes said of them, see `process.overheard`.
    """

    quote: Quote
    place: int
    slots: tuple[int, ...]
    said: tuple[float, ...] = ()


def place_quotes(
    quotes: Sequence[Quote],
    tokenizer: Tokenizer,
    placement: Placement,
    *,
    room: int,
    exact_slots: int | None = None,
) -> list[PlacedQuote]:
    """The quotes that fit into `room` slots, or take exactly `exact_slots`."""
    fitting: list[PlacedQuote] = []
    for place, quote in enumerate(quotes):
        slots = placement.slots_needed(tokenizer, quote.text)
        if exact_slots is not None and len(slots) != exact_slots:
            continue
        if 0 < len(slots) <= min(room, LONGEST_QUOTE):
            fitting.append(PlacedQuote(quote, place, slots))
    return fitting


def heard_of(quotes: Sequence[PlacedQuote], overheard: Overheard) -> list[PlacedQuote]:
    """The quotes that `overheard` has listened for, in that order, with what it has heard."""
    heard = overheard.heard()
    return [replace(placed, said=said) for placed, said in zip(quotes, heard, strict=True)]
