"""Fill-in-the-middle examples: what the autoregressive twin reads of a window.

Job: document bytes -> `Example` in the layouts of Bavarian et al. 2022, half of each order:

    PSM   tag [BOF] PREFIX before SUFFIX after [EOF] MIDDLE text END
    SPM   tag [BOF] PREFIX SUFFIX after [EOF] MIDDLE before text END

The twin is told what the diffusion model is told: the hole comes from the same sampler with the
same shares, `before` is the context up to the anchor followed by the pins, and `text` begins with
the constraint, so that a half-typed token is healed for both. Windows without a hole are ordinary
left-to-right text.

Invariants: `prompt` lays out the same ids for training and for decoding; no sentinel is a target
but END, since the places of the others are not in the text; everything is one segment under a
causal mask, with positions that count up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from diffusion.data.examples import CanvasPart, Example, ExampleConfig, NoisedExample, ended_after
from diffusion.text.canvas import MAX_CANVAS, Placement, place
from diffusion.text.hole_sampling import sample_holes
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import BOF, EOF, Tokenizer

PREFIX, SUFFIX, MIDDLE, END = 16, 17, 18, 19
"""Ids that the tokenizer keeps in reserve: no text spells them."""
_UNSCORED = frozenset((PREFIX, SUFFIX, MIDDLE))

PSM, SPM = "psm", "spm"
ORDERS = (PSM, SPM)


@dataclass(frozen=True, slots=True)
class FimConfig(ExampleConfig):
    """What a window becomes for the twin.

    `plain_mlm` is the share of left-to-right windows; what concerns slots and masks is not used.
    """

    spm: float = 0.5
    """Share of the holes whose suffix is read first."""

    def build(
        self,
        tokenizer: Tokenizer,
        tree: SyntaxTree,
        data: bytes,
        window: tuple[int, int],
        language: str,
        rng: Random,
        room: int | None = None,
    ) -> Example:
        """One hole of those that the diffusion model would get, or none.

        It takes little more than its window, so nothing is left out for want of `room`.
        """
        if rng.random() < self.plain_mlm:
            return _left_to_right(tokenizer, data, window, language)
        share = rng.uniform(self.hole_share_low, self.hole_share_high)
        target_bytes = int((window[1] - window[0]) * share)
        holes = sample_holes(tree, data, window, rng, self.mix, target_bytes)
        if not holes:
            return _left_to_right(tokenizer, data, window, language)
        hole = rng.choice(holes)
        if rng.random() < self.end_of_file:
            data = ended_after(data, hole.end, rng)
            window = (window[0], len(data))
        placement = place(tokenizer, data, hole.start, hole.end)
        text = placement.slots_needed(tokenizer, data[hole.start : hole.end])
        fits = 0 < len(text) <= MAX_CANVAS - len(placement.pins)
        if placement.anchor < window[0] or not fits:
            return _left_to_right(tokenizer, data, window, language)
        order = SPM if rng.random() < self.spm else PSM
        ids = prompt(tokenizer, data, window, placement, language, order)
        middle = CanvasPart(len(ids), len(ids), len(ids) + len(text) + 1, hole.kind)
        return _example((*ids, *text, END), (middle,), language)

    def targets(
        self, example: Example, rng: Random, *, causal: bool, t: float | None
    ) -> NoisedExample:
        """Every next token; for validation (`t` is given) those of the middle, END included."""
        ids = example.ids
        places: Sequence[int] = range(len(ids) - 1)
        if t is not None and example.canvases:
            (middle,) = example.canvases
            places = range(middle.slots - 1, middle.end - 1)
        chosen = tuple(i for i in places if ids[i + 1] not in _UNSCORED)
        return NoisedExample(ids, chosen, tuple(ids[i + 1] for i in chosen), (1.0,) * len(chosen))


def prompt(
    tokenizer: Tokenizer,
    data: bytes,
    window: tuple[int, int],
    placement: Placement,
    language: str,
    order: str,
) -> tuple[int, ...]:
    """The ids after which the middle begins. `order` is PSM or SPM.

    `data` may hold the middle or not: what lies between anchor and end is read from the pins.
    """
    head = _head(tokenizer, window, language)
    before = (*tokenizer.encode(data[window[0] : placement.anchor]), *placement.pins)
    after = tokenizer.encode(data[placement.end : window[1]])
    if window[1] == len(data):
        after.append(EOF)
    if order == SPM:
        return (*head, PREFIX, SUFFIX, *after, MIDDLE, *before)
    return (*head, PREFIX, *before, SUFFIX, *after, MIDDLE)


def _left_to_right(
    tokenizer: Tokenizer, data: bytes, window: tuple[int, int], language: str
) -> Example:
    ids = [*_head(tokenizer, window, language), *tokenizer.encode(data[window[0] : window[1]])]
    if window[1] == len(data):
        ids.append(EOF)
    return _example(tuple(ids), (), language)


def _head(tokenizer: Tokenizer, window: tuple[int, int], language: str) -> tuple[int, ...]:
    tag = tokenizer.language_id(language)
    return (tag, BOF) if window[0] == 0 else (tag,)


def _example(ids: tuple[int, ...], middle: tuple[CanvasPart, ...], language: str) -> Example:
    return Example(ids, tuple(range(len(ids))), (0,) * len(ids), middle, language)
