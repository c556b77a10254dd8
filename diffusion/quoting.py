"""From quotes to judged quotes: on the canvas, seen by the model.

Job: `text.quotes` finds texts, `process.judging` says how probable the model holds them; this
file puts one on the canvas of the other. `candidates.rank` then weighs them beside what the model
wrote itself.

Invariant: a quote is judged on the canvas that a request at this hole has, without the document's
votes (`process.copying`), which would only find it where it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffusion.process.denoiser import Denoise
from diffusion.process.judging import FilledCanvas, Judgement, judge
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.canvas import Placement
from diffusion.text.hole_length import SLOT_COUNTS
from diffusion.text.quotes import Quote
from diffusion.text.tokenizer import Tokenizer

LONGEST_QUOTE = 48
"""Slots. Longer ones cost a pass as much as all others together."""


@dataclass(frozen=True, slots=True)
class JudgedQuote:
    """A quote, its place in the order of likeness, its slots, and what the model says of them."""

    quote: Quote
    place: int
    slots: tuple[int, ...]
    given: int
    judgement: Judgement


def judge_quotes(
    quotes: Sequence[Quote],
    denoise: Denoise,
    tokenizer: Tokenizer,
    vocabulary: Vocabulary,
    placement: Placement,
    *,
    room: int,
    exact_slots: int | None = None,
) -> list[JudgedQuote]:
    """Judge the quotes that fit into `room` slots, or take exactly `exact_slots`."""
    fitting: list[tuple[int, Quote, FilledCanvas]] = []
    for place, quote in enumerate(quotes):
        slots = placement.slots_needed(tokenizer, quote.text)
        if exact_slots is not None and len(slots) != exact_slots:
            continue
        if not 0 < len(slots) <= min(room, LONGEST_QUOTE):
            continue
        size = len(slots) if exact_slots is not None else _canvas_size(len(slots), room)
        given = 1 if placement.constraint and len(slots) > 1 else 0
        canvas = FilledCanvas(placement.pins, slots, size - len(slots), given)
        fitting.append((place, quote, canvas))
    judgements = judge(denoise, [canvas for *_, canvas in fitting], vocabulary)
    return [
        JudgedQuote(quote, place, canvas.text, canvas.given, judgement)
        for (place, quote, canvas), judgement in zip(fitting, judgements, strict=True)
    ]


def _canvas_size(slots: int, room: int) -> int:
    """The next size that a canvas with a DEL has, as in training."""
    return min(room, next((size for size in SLOT_COUNTS if size > slots), slots))
