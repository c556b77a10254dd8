"""Corruption: which tokens of a canvas or window are masked for one training example.

Job: the forward process of masked diffusion (Austin et al. 2021, absorbing state) as Diffill
trains it. A canvas is noised at a mask share drawn for each hole; the kept slots are a random
subset half of the time and a left-contiguous run otherwise, which is what typed text and the
leftmost-first sampler look like.

With `nearness` below 1 a masked slot counts for less the more masks stand between it and the
nearest text on its left: what far slots hold is mostly chance, and the sampler asks for it last.
The idea is the context-adaptive weight of Dream 7B (arXiv 2508.15487), here looking left only.

Invariants: pins are never masked; at least one slot is; weights of DEL slots sum to at most one
token per canvas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from diffusion.process.schedule import Mixture
from diffusion.text.tokenizer import DEL

_FAINTEST: Final = 0.05
"""Slots that would count for less are left out of the loss; the head costs the same for them."""


@dataclass(frozen=True, slots=True)
class NoiseConfig:
    """How much is masked, and in which pattern. All numbers are shares in 0..1."""

    mask_share: Mixture = field(default_factory=Mixture)
    left_contiguous: float = 0.5
    known_length: float = 0.15
    """Share of canvases whose trailing DEL tokens are shown, so that the length is given."""
    window_low: float = 0.3
    window_high: float = 0.5
    inverse_t_weight: bool = False
    nearness: float = 1.0
    """Weight of a masked slot for each mask between it and the nearest text on its left, as a
    factor; 1 weighs all alike. 0.7 was measured and is no better (docs/lab-notebook.md)."""
    scored_tail: int = 2
    """Of a masked DEL tail, how many slots enter the loss: the first and random others. The rest
    say the same again, and the vocabulary head is the dearest part of a step."""

    def weight(self, masks_before: int) -> float:
        """What a slot counts that has this many masks right before it; 0 is not scored."""
        weight = self.nearness**masks_before
        return weight if weight >= _FAINTEST else 0.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Indices (into the slots or the window) that are masked; those that enter the loss, and
    the weight of each of these."""

    masked: tuple[int, ...]
    scored: tuple[int, ...]
    weights: tuple[float, ...]


def noise_slots(
    slots: Sequence[int], rng: Random, config: NoiseConfig, *, t: float | None = None
) -> Noise:
    """Choose the masked slots of one canvas. `t` fixes the mask share, for validation."""
    if t is None:
        t = float(config.mask_share.sample_t(rng.random()))
    length = len(slots)
    while length > 0 and slots[length - 1] == DEL:
        length -= 1
    show_length = length > 0 and rng.random() < config.known_length
    # DEL slots count as one token when the share is applied, as they do in the loss.
    countable = length + (0 if show_length or length == len(slots) else 1)
    wanted = max(1, round(t * countable))
    if rng.random() < config.left_contiguous:
        masked = set(range(countable - wanted, countable))
    else:
        masked = set(rng.sample(range(countable), wanted))
    tail = range(length, len(slots)) if (not show_length and length < len(slots)) else range(0)
    # Unless the length is shown, the tail is unknown for as long as the sampler works.
    text = [i for i in sorted(masked) if i < length]
    extra = min(config.scored_tail - 1, len(tail) - 1)
    scored_tail = [tail[0], *sorted(rng.sample(tail[1:], extra))] if len(tail) else []
    weight = 1.0 / max(t, 0.05) if config.inverse_t_weight else 1.0
    return _scored(text, tail, scored_tail, weight, config)


def complement(slots: Sequence[int], other: Noise, rng: Random, config: NoiseConfig) -> Noise:
    """The noise that masks the text slots which `other` does not.

    The tail stays as it is in `other`: masked, or shown. Where `other` masks all of the text, there
    is no complement, and the twin gets noise of its own.
    """
    length = len(slots)
    while length > 0 and slots[length - 1] == DEL:
        length -= 1
    hidden = set(other.masked)
    text = tuple(i for i in range(length) if i not in hidden)
    if not text:
        return noise_slots(slots, rng, config)
    tail = tuple(i for i in other.masked if i >= length)
    scored_tail = tuple(i for i in other.scored if i >= length)
    # A weight that depended on t would be that of the other's t.
    weight = length / len(text) if config.inverse_t_weight else 1.0
    return _scored(text, tail, scored_tail, weight, config)


def _scored(
    text: Sequence[int],
    tail: Sequence[int],
    scored_tail: Sequence[int],
    weight: float,
    config: NoiseConfig,
) -> Noise:
    """Masks at `text` and `tail`, of which all of `text` and `scored_tail` enter the loss.

    The tail counts as one slot, where it begins.
    """
    scored: list[int] = []
    weights: list[float] = []
    before, last = 0, -2
    for slot in text:
        before = before + 1 if slot == last + 1 else 0
        last = slot
        near = weight * config.weight(before)
        if near:
            scored.append(slot)
            weights.append(near)
    if scored_tail:
        near = weight * config.weight(before + 1 if tail[0] == last + 1 else 0)
        if near:
            scored.extend(scored_tail)
            weights.extend([near / len(scored_tail)] * len(scored_tail))
    return Noise((*text, *tail), tuple(scored), tuple(weights))


def noise_window(length: int, rng: Random, config: NoiseConfig) -> Noise:
    """Choose the masked tokens of a plain masked-LM window of `length` tokens."""
    share = rng.uniform(config.window_low, config.window_high)
    masked = sorted(rng.sample(range(length), max(1, round(share * length))))
    return Noise(tuple(masked), tuple(masked), (1.0,) * len(masked))
