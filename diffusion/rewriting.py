"""Rewrite a selection: noise it at a strength, restore it with both sides in view.

Corrupt and restore, the two passes of diffusion, on text that is there already. Every token of
the selection is judged first; the least probable share of them, the strength, is masked, and the
sampler fills the slots. At low strength only what the model finds oddest is touched; at strength
1 all of it is written anew, in several lengths. Below that a run of masked slots may gain or lose
one, so that a name of two tokens can become one of three.

Invariants: what is masked at one strength is masked at every higher one; a token that is not
masked comes back as it was, and none that holds a byte of a range to be kept is; nothing outside
the selection changes; a rewrite that says what is there already is not offered.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from rapidfuzz.distance import Indel

from diffusion.cancel import CancelToken
from diffusion.drafts import CanvasWatch, Draft, OnDraft, Piece
from diffusion.errors import CanvasError, HoleError
from diffusion.infill import Infiller
from diffusion.open_hole import OpenRange
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.judging import FilledCanvas, judge
from diffusion.process.sampler import sample
from diffusion.site import Site, adds_no_error
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.canvas import MAX_CANVAS, canvas_ids, constrained_slots
from diffusion.text.hole_length import SLOT_COUNTS
from diffusion.text.line_ends import line_end_of
from diffusion.text.tokenizer import MASK
from diffusion.written import OUT_OF_TIME, Written, read_canvas

_TEMPERATURE = 0.8
"""Of the alternatives after the greedy ones."""


@dataclass(frozen=True, slots=True)
class RewriteRequest:
    """Rewrite bytes `[start, end)` of `text`.

    `strength`, above 0 and at most 1: the share of the selection's tokens that is masked.
    `keep`: byte ranges of the text that stay as they are; outside the selection they say nothing.
    """

    text: str | bytes
    start: int
    end: int
    language: str
    strength: float = 0.5
    alternatives: int = 3
    deadline_ms: float | None = None
    keep: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A text for the selection.

    `score`: geometric mean probability of the tokens that were written. `changed`: share of
    tokens that differ, 0 to 1.
    """

    text: str
    score: float
    changed: float
    parses: bool


@dataclass(frozen=True, slots=True)
class RewriteResult:
    """Rewrites, best first. `masked`: how many tokens were. `reason` says why there are none."""

    rewrites: tuple[Rewrite, ...]
    masked: int
    ms: float
    steps: int
    reason: str | None = None


def rewrite(
    infiller: Infiller,
    request: RewriteRequest,
    *,
    cancel: CancelToken | None = None,
    on_draft: OnDraft | None = None,
) -> RewriteResult:
    """Rewrite a selection. `on_draft` hears after every pass how far it is.

    Raises:
        HoleError: the selection lies outside the document, is blank, or the strength is no share.
        CanvasError: the selection has more tokens than a canvas.
        Cancelled: `cancel` was cancelled.
    """
    started = time.perf_counter()
    data = _checked(request)
    if mark := mark_before(data, request.start):
        keep = tuple((start - mark, end - mark) for start, end in request.keep)
        start, end = request.start - mark, request.end - mark
        request, data = replace(request, start=start, end=end, keep=keep), data[mark:]
    opened = infiller.open_range(data, request.start, request.end, request.language, cancel)
    placement = opened.placement
    original = placement.slots_needed(infiller.tokenizer, data[request.start : request.end])
    if len(original) > opened.room:
        raise CanvasError(
            f"the selection takes {len(original)} tokens, {opened.room} fit a canvas; select less"
        )
    # The first slots finish the word that the selection begins in; only all of it is worth that.
    given = constrained_slots(infiller.tokenizer, original, placement.constraint)
    kept = _kept_slots(infiller, placement.constraint, data, request)
    anew = not kept and (request.strength >= 1 or given == len(original))
    given = 0 if anew else given
    filled = FilledCanvas(placement.pins, original, given=given)
    [judgement] = judge(opened.model, [filled], infiller.vocabulary)
    log_p = [0.0] * given + list(judgement.log_p)
    masked = masked_slots(log_p, given, 1.0 if anew else request.strength, kept)
    if not masked:
        raise HoleError("all of the selection is kept", fix="keep less of it, or select more")
    canvases = _canvases(opened, original, masked, request)
    steps = 1
    watch = None
    if on_draft is not None:
        tell = on_draft

        def show(pieces: Sequence[Sequence[Piece]], done: float) -> None:
            tell(Draft(tuple(map(tuple, pieces)), done))

        watch = CanvasWatch(infiller.tokenizer, [placement], show)

    def count(snapshot: StepSnapshot) -> None:
        nonlocal steps
        steps += 1
        if watch is not None:
            watch(snapshot)

    results = sample(
        opened.copying if infiller.copy_weights else opened.model,
        canvases,
        replace(infiller.config.sampler, race_nats=None),
        vocabulary=infiller.vocabulary,
        cancel=cancel,
        deadline_s=None if request.deadline_ms is None else started + request.deadline_ms / 1000,
        on_step=count,
    )
    found = _read(infiller, opened, request, data, original, canvases, results)
    reason = OUT_OF_TIME if any(r.late for r in results) else "the model would leave it as it is"
    return RewriteResult(
        rewrites=tuple(found[: request.alternatives]),
        masked=len(masked),
        ms=(time.perf_counter() - started) * 1000,
        steps=steps,
        reason=None if found else reason,
    )


def masked_slots(
    log_p: Sequence[float], given: int, strength: float, kept: frozenset[int] = frozenset()
) -> list[int]:
    """The slots to mask: the least probable share of those that are neither given nor kept.

    At least one, where there is one.
    """
    order = sorted(
        (slot for slot in range(given, len(log_p)) if slot not in kept),
        key=lambda slot: (log_p[slot], slot),
    )
    return sorted(order[: max(1, math.ceil(strength * len(order)))])


def _kept_slots(
    infiller: Infiller, constraint: bytes, data: bytes, request: RewriteRequest
) -> frozenset[int]:
    """The slots that hold a byte of what is to be kept."""
    _, ends = infiller.tokenizer.encode_with_ends(constraint + data[request.start : request.end])
    shift = request.start - len(constraint)
    starts = [0, *ends[:-1]]
    return frozenset(
        slot
        for slot, (start, end) in enumerate(zip(starts, ends, strict=True))
        if any(low < end + shift and start + shift < high for low, high in request.keep)
    )


def _checked(request: RewriteRequest) -> bytes:
    data = request.text
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not 0 <= request.start <= request.end <= len(data):
        raise HoleError(
            f"the selection is bytes {request.start}..{request.end}, the document has {len(data)}",
            fix="give two offsets inside the document, the first one first",
        )
    if not data[request.start : request.end].strip():
        raise HoleError("the selection is blank", fix="select some code, or complete instead")
    if not 0.0 < request.strength <= 1.0:
        raise HoleError(
            f"the strength is {request.strength}", fix="give a share above 0 and at most 1"
        )
    return data


def _canvases(
    opened: OpenRange, original: tuple[int, ...], masked: list[int], request: RewriteRequest
) -> list[CanvasState]:
    """Greedy ones of several lengths, then bolder ones of the original's."""
    pins = opened.placement.pins
    if len(masked) == len(original):
        sizes = [size for size in SLOT_COUNTS if size >= len(original)][:2]
        sizes = sorted({len(original), *(min(size, opened.room) for size in sizes)})
        greedy = [
            CanvasState(canvas_ids(pins, size), len(pins), opened.placement.constraint)
            for size in sizes
        ]
    else:
        greedy = [  # what the constraint needs is none of the masks
            CanvasState((*pins, *slots), len(pins), ends_early=False)
            for slots in _lengths(original, masked, MAX_CANVAS - len(pins))
        ]
    bold = [replace(greedy[0], temperature=_TEMPERATURE)] * request.alternatives
    return greedy + bold


def _lengths(original: tuple[int, ...], masked: list[int], room: int) -> list[list[int]]:
    """The canvas with its masks, and with one mask more and one less in its longest run."""
    hidden = set(masked)
    slots = [MASK if slot in hidden else token for slot, token in enumerate(original)]
    runs: list[list[int]] = [[masked[0]]]
    for before, slot in pairwise(masked):
        if slot == before + 1:
            runs[-1].append(slot)
        else:
            runs.append([slot])
    longest = max(runs, key=len)
    found = [slots]
    if len(slots) < room:
        found.append([*slots[: longest[0]], MASK, *slots[longest[0] :]])
    if len(longest) > 1:
        found.append([*slots[: longest[0]], *slots[longest[0] + 1 :]])
    return found


def _read(
    infiller: Infiller,
    opened: OpenRange,
    request: RewriteRequest,
    data: bytes,
    original: tuple[int, ...],
    canvases: Sequence[CanvasState],
    results: Sequence[CanvasResult],
) -> list[Rewrite]:
    site = Site(opened.tree, data, request.start, request.end, opened.language, "inline")
    best: dict[str, Rewrite] = {}
    pins, constraint = len(opened.placement.pins), opened.placement.constraint
    selected = data[request.start : request.end].replace(b"\r\n", b"\n")
    for canvas, result in zip(canvases, results, strict=True):
        said = read_canvas(infiller.tokenizer, result, pins, constraint, b"")
        if isinstance(said, str) or not result.finished:
            continue
        if said.data.replace(b"\r\n", b"\n") == selected or not said.data.strip():
            continue
        text = _with_line_ends(infiller, said, canvas.ids[pins:], len(constraint), data)
        found = Rewrite(
            text=text.decode("utf-8"),
            score=math.exp(result.mean_log_p),
            changed=float(Indel.normalized_distance(original, said.slots)),
            parses=adds_no_error(site, text),
        )
        if found.text not in best or best[found.text].score < found.score:
            best[found.text] = found
    return sorted(best.values(), key=lambda r: (not r.parses, -r.score))


def _with_line_ends(
    infiller: Infiller, said: Written, canvas: Sequence[int], constraint_bytes: int, data: bytes
) -> bytes:
    """The text with the document's line ends in what was written; what was kept is as it was."""
    if line_end_of(data) == b"\n":
        return said.data
    at, written = -constraint_bytes, set[int]()
    for token, was in zip(said.slots, canvas, strict=False):
        width = len(infiller.tokenizer.token_bytes(token))
        written.update(range(at, at + width) if was == MASK else ())
        at += width
    return re.sub(
        rb"(?<!\r)\n", lambda end: b"\r\n" if end.start() in written else b"\n", said.data
    )
