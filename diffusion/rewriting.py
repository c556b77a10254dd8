"""Rewrite a selection: noise it at a strength, restore it with both sides in view.

Corrupt and restore, the two passes of diffusion, on text that is there already. Every token of
the selection is judged first; the least probable share of them, the strength, is masked, and the
sampler fills the slots. At low strength only what the model finds oddest is touched; at strength
1 all of it is written anew, in several lengths. Below that a run of masked slots may gain or lose
one, so that a name of two tokens can become one of three. On the canvas lines end in newlines
alone, as the model writes them.

Invariants: what is masked at one strength is masked at every higher one, and a character whole; a
token that is not masked comes back as it was, and none that holds a byte of a range to be kept is;
nothing outside the selection changes; a rewrite that says what is there already is not offered.
"""

from __future__ import annotations

import math
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
from diffusion.text.tokenizer import MASK, Tokenizer
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


@dataclass(frozen=True, slots=True)
class _Selected:
    """The selection on its canvas: `ids`, the constraint's included, and of each its `spans`.

    A span is what of the document the token stands for; a token of the constraint has an empty one.
    `given`: how many of the first ids are not judged, and masked only with all the others: they
    finish the word that the selection begins in. `joined`: those that begin inside a character.
    """

    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    given: int
    joined: frozenset[int]


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
    selected = _select(infiller.tokenizer, placement.constraint, data, request)
    original = selected.ids
    if len(original) > opened.room:
        raise CanvasError(
            f"the selection takes {len(original)} tokens, {opened.room} fit a canvas; select less"
        )
    kept = frozenset(
        slot
        for slot, (start, end) in enumerate(selected.spans)
        if any(max(start, low) < min(end, high) for low, high in request.keep)
    )
    anew = not kept and (request.strength >= 1 or selected.given == len(original))
    given = 0 if anew else selected.given
    filled = FilledCanvas(placement.pins, original, given=given)
    [judgement] = judge(opened.model, [filled], infiller.vocabulary)
    log_p = [0.0] * given + list(judgement.log_p)
    strength = 1.0 if anew else request.strength
    masked = masked_slots(log_p, given, strength, kept, selected.joined)
    if not masked:
        raise HoleError("all of the selection is kept", fix="keep less of it, or select more")
    canvases = _canvases(infiller.tokenizer, opened, original, masked, request)
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
    found, reason = _read(infiller, opened, request, data, selected, masked, canvases, results)
    return RewriteResult(
        rewrites=tuple(found[: request.alternatives]),
        masked=len(masked),
        ms=(time.perf_counter() - started) * 1000,
        steps=steps,
        reason=None if found else reason,
    )


def masked_slots(
    log_p: Sequence[float],
    given: int,
    strength: float,
    kept: frozenset[int] = frozenset(),
    joined: frozenset[int] = frozenset(),
) -> list[int]:
    """The slots to mask: the least probable share of those that are neither given nor kept.

    At least one, where there is one. A slot that is `joined` goes with the one before it.
    """
    units: list[list[int]] = []
    for slot in range(given, len(log_p)):
        if slot in joined and units:
            units[-1].append(slot)
        else:
            units.append([slot])
    units = [unit for unit in units if kept.isdisjoint(unit)]
    wanted = max(1, math.ceil(strength * sum(map(len, units))))
    masked: list[int] = []
    for unit in sorted(units, key=lambda unit: (min(log_p[slot] for slot in unit), unit)):
        if len(masked) < wanted:
            masked += unit
    return sorted(masked)


def _select(
    tokenizer: Tokenizer, constraint: bytes, data: bytes, request: RewriteRequest
) -> _Selected:
    text = data[request.start : request.end]
    spelled = constraint + text.replace(b"\r\n", b"\n")
    ids, ends = tokenizer.encode_with_ends(spelled)
    # Of every byte of it that is selected, and of its end, the place in the document.
    places = [at for at in range(len(text)) if text[max(0, at - 1) : at + 1] != b"\r\n"]
    places.append(len(text))
    behind = [request.start + places[max(0, end - len(constraint))] for end in ends]
    joined = frozenset(
        slot for slot, at in enumerate(ends[:-1], 1) if 0x80 <= spelled[at] < 0xC0
    )
    given = constrained_slots(tokenizer, ids, constraint)
    typed = [end for end in ends if end <= len(constraint)]
    if not constraint.strip() and len(constraint) - max(typed, default=0) <= 1:
        given = len(typed)  # a blank is spelled by the one slot, whatever else it holds
    while 0 < given < len(ids) and given in joined:
        given += 1
    return _Selected(tuple(ids), tuple(pairwise([request.start, *behind])), given, joined)


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
    tokenizer: Tokenizer,
    opened: OpenRange,
    original: tuple[int, ...],
    masked: list[int],
    request: RewriteRequest,
) -> list[CanvasState]:
    """Greedy ones of several lengths, then bolder ones of the original's."""
    pins = opened.placement.pins
    due = opened.placement.constraint[len(tokenizer.decode(original[: masked[0]])) :]
    if len(masked) == len(original):
        sizes = [size for size in SLOT_COUNTS if size >= len(original)][:2]
        sizes = sorted({len(original), *(min(size, opened.room) for size in sizes)})
        greedy = [
            CanvasState(canvas_ids(pins, size), len(pins), due) for size in sizes
        ]
    else:
        greedy = [
            CanvasState((*pins, *slots), len(pins), due, ends_early=False)
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
    selected: _Selected,
    masked: Sequence[int],
    canvases: Sequence[CanvasState],
    results: Sequence[CanvasResult],
) -> tuple[list[Rewrite], str]:
    """The rewrites, best first, and what to say where there are none."""
    site = Site(opened.tree, data, request.start, request.end, opened.language, "inline")
    best: dict[str, Rewrite] = {}
    pins, constraint = len(opened.placement.pins), opened.placement.constraint
    before = data[request.start : request.end].replace(b"\r\n", b"\n")
    hidden = set(masked)
    kept = [data[a:b] for slot, (a, b) in enumerate(selected.spans) if slot not in hidden]
    against: list[str] = []

    def spelled(ids: Sequence[int]) -> list[bytes]:
        return [infiller.tokenizer.token_bytes(i).replace(b"\r\n", b"\n") for i in ids]

    for canvas, result in zip(canvases, results, strict=True):
        said = read_canvas(infiller.tokenizer, result, pins, constraint, b"")
        if isinstance(said, str):
            against.append(said)
            continue
        if not result.finished:
            against.append(OUT_OF_TIME)
            continue
        if not said.data.strip():
            against.append("the model would leave nothing of it")
            continue
        text = _text(infiller.tokenizer, said, canvas.ids[pins:], kept, len(constraint), data)
        # A blank or a line end more at its end is no other text.
        if text.replace(b"\r\n", b"\n").rstrip() == before.rstrip():
            against.append("the model would leave it as it is")
            continue
        found = Rewrite(
            text=text.decode("utf-8"),
            score=math.exp(result.mean_log_p),
            changed=float(Indel.normalized_distance(spelled(selected.ids), spelled(said.slots))),
            parses=adds_no_error(site, text),
        )
        if found.text not in best or best[found.text].score < found.score:
            best[found.text] = found
    late = any(result.late for result in results)
    reason = OUT_OF_TIME if late else next(iter(against), "")
    return sorted(best.values(), key=lambda r: (not r.parses, -r.score)), reason


def _text(
    tokenizer: Tokenizer,
    said: Written,
    canvas: Sequence[int],
    kept: Sequence[bytes],
    constraint_bytes: int,
    data: bytes,
) -> bytes:
    """The text with the document's line ends in what was written; what was `kept` is as it was."""
    line_end, as_it_was = line_end_of(data), iter(kept)
    text, written, typed = b"", b"", constraint_bytes
    for token, was in zip(said.slots, canvas, strict=False):
        spelled = tokenizer.token_bytes(token)
        if was == MASK:
            written += spelled[typed:]
        else:
            text += _with_line_end(written, line_end) + next(as_it_was)
            written = b""
        typed = max(0, typed - len(spelled))
    return text + _with_line_end(written, line_end)


def _with_line_end(written: bytes, line_end: bytes) -> bytes:
    return written.replace(b"\r\n", b"\n").replace(b"\n", line_end)
