"""Syntax repair: what does not parse is masked again where the errors are, and denoised again.

A finished canvas whose text adds a syntax error is taken back where ERROR and MISSING nodes touch
it; what lies left and right of that stays in view, which is what a writer from left to right
cannot do. Several bolder variants are tried in one batch, since the greedy choice is the one that
failed. Only what then parses is kept.

Invariants: pins and tokens that no error touches come back as they were, with the probability
they were committed with; a repaired canvas was looked at, and adds no syntax error; the results
that were there are neither changed nor removed; at most one more run of the sampler, under the
same deadline.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

from diffusion.process.canvas_state import CanvasResult, CanvasState
from diffusion.site import Site, Syntax, syntax_of
from diffusion.text.canvas import constrained_slots
from diffusion.text.tokenizer import DEL, MASK, Tokenizer

VARIANTS: Final = 2
TEMPERATURE: Final = 0.7
_MOST_ROWS: Final = 3
_MOSTLY: Final = 0.8
"""Where the errors cover more of a text than this, its more probable half is kept as a hold."""

Resample = Callable[[Sequence[CanvasState]], list[CanvasResult]]


def repair(
    tokenizer: Tokenizer,
    site: Site,
    results: Sequence[CanvasResult],
    pins: int,
    constraint: bytes,
    resample: Resample,
    *,
    ends_early: bool = True,
) -> list[CanvasResult]:
    """Repaired versions of the results that add syntax errors; none where none can be made.

    `ends_early`: as the canvases of the results have it (`CanvasState`).
    """
    broken = [
        result
        for result in results
        if result.finished
        and result.constraint_met
        and not _syntax(tokenizer, site, result, pins, constraint).parses
    ]
    broken.sort(key=lambda result: -result.mean_log_p)
    origins: list[tuple[CanvasResult, frozenset[int]]] = []
    canvases: list[CanvasState] = []
    for result in broken[:_MOST_ROWS]:
        masked = slots_to_mask(tokenizer, site, result, pins, constraint)
        if not masked:
            continue
        ids = tuple(MASK if slot in masked else token for slot, token in enumerate(result.ids))
        canvas = CanvasState(ids, pins, temperature=TEMPERATURE, ends_early=ends_early)
        canvases += [canvas] * VARIANTS
        origins += [(result, masked)] * VARIANTS
    if not canvases or site.allowance.over:
        return []
    repaired = [
        _merged(origin, masked, found, pins)
        for (origin, masked), found in zip(origins, resample(canvases), strict=True)
        if found.finished
    ]
    seen = [(r, _syntax(tokenizer, site, r, pins, constraint)) for r in repaired]
    return [r for r, found in seen if found.parses and found.errors is not None]


def slots_to_mask(
    tokenizer: Tokenizer, site: Site, result: CanvasResult, pins: int, constraint: bytes
) -> frozenset[int]:
    """The places on a canvas that errors lie on or next to, but for those the constraint needs."""
    spelled, ends = _spelled(tokenizer, result, pins)
    text = spelled[len(constraint) :]
    tree = site.allowance.edited(site.tree, site.start, site.end, text)
    given = constrained_slots(tokenizer, result.ids[pins:], constraint)
    shift = len(constraint) - site.start
    touched: set[int] = set()
    for node in tree.errors(site.start, site.start + len(text)):
        low, high = node.start_byte + shift, node.end_byte + shift
        begin = 0
        for slot, end in enumerate(ends):
            if begin <= high and low <= end:
                touched.add(slot)
            begin = end
    touched = {slot for slot in touched if slot >= given} or set(range(given, len(ends))[-1:])
    if len(touched) > _MOSTLY * (len(ends) - given):
        odds = [result.token_p[pins + slot] for slot in sorted(touched)]
        touched = {slot for slot in touched if result.token_p[pins + slot] <= median(odds)}
    slots = {pins + slot for slot in touched}
    if touched and max(touched) == len(ends) - 1:  # the end was part of the mistake
        slots |= set(range(pins + len(ends), len(result.ids)))
    return frozenset(slots)


def _spelled(tokenizer: Tokenizer, result: CanvasResult, pins: int) -> tuple[bytes, list[int]]:
    """The text of the slots, constraint included, and the byte at which each token ends."""
    slots = result.ids[pins:]
    kept = slots[: slots.index(DEL)] if DEL in slots else slots
    ends, at = [], 0
    for token in kept:
        at += len(tokenizer.token_bytes(token))
        ends.append(at)
    return tokenizer.decode(kept), ends


def _syntax(
    tokenizer: Tokenizer, site: Site, result: CanvasResult, pins: int, constraint: bytes
) -> Syntax:
    spelled, _ = _spelled(tokenizer, result, pins)
    return syntax_of(site, spelled[len(constraint) :])


def _merged(
    origin: CanvasResult, masked: frozenset[int], found: CanvasResult, pins: int
) -> CanvasResult:
    """A repaired canvas with the probabilities of what was kept."""
    token_p = tuple(
        found.token_p[slot] if slot in masked else origin.token_p[slot]
        for slot in range(len(found.ids))
    )
    end = next((s for s, token in enumerate(found.ids) if token == DEL), len(found.ids) - 1)
    log_p = [math.log(max(p, 1e-12)) for p in token_p[pins : end + 1]]
    return replace(
        found,
        token_p=token_p,
        mean_log_p=sum(log_p) / len(log_p),
        steps=origin.steps + found.steps,
        constraint_met=origin.constraint_met,
    )
