"""Other tokens for one place of a text that was offered, each with the rest denoised around it.

Job: a text for a hole and a place in it -> the most probable other tokens there. One is put in
place, what stands left of it is kept unless the new token makes it improbable, and everything
right of it is denoised again; so `for item in items` with another second word does not keep a
body that speaks of items.

Invariants: every alternative has another token at that place; `Alternative.text` replaces the
same bytes as the text that was given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from diffusion.cancel import CancelToken
from diffusion.errors import CanvasError, HoleError
from diffusion.infill import Infiller
from diffusion.open_hole import OpenRange
from diffusion.process.canvas_state import CanvasState
from diffusion.process.judging import FilledCanvas, judge
from diffusion.process.reading import call_denoiser
from diffusion.process.sampler import sample
from diffusion.site import Site, adds_no_error
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.hole_length import SLOT_COUNTS
from diffusion.text.implied_newline import implied_newline
from diffusion.text.tokenizer import DEL, MASK
from diffusion.written import OUT_OF_TIME, read_canvas

_IMPROBABLE = math.log(0.05)
"""A token left of the new one is masked, too, if the new one makes it less probable than this."""


@dataclass(frozen=True, slots=True)
class AlternativesRequest:
    """Bytes `[start, end)` of `text` have been offered `candidate`; `at`: a byte offset in that.

    An empty range at the start of a line with code is for whole lines (`implied_newline`).
    """

    text: str | bytes
    start: int
    end: int
    language: str
    candidate: bytes
    at: int
    count: int = 3
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another token, how probable it is there, and the text around it, denoised again."""

    token: str
    p: float
    text: str
    score: float
    parses: bool


@dataclass(frozen=True, slots=True)
class AlternativesResult:
    """Alternatives, the most probable token first. `token`, `p`: what stands there now."""

    token: str
    p: float
    alternatives: tuple[Alternative, ...]
    ms: float
    reason: str | None = None


def alternatives(
    infiller: Infiller, request: AlternativesRequest, *, cancel: CancelToken | None = None
) -> AlternativesResult:
    """Other tokens for one place of a candidate.

    Raises:
        HoleError: the range lies outside the document, or the place outside the candidate.
        CanvasError: the candidate does not fit a canvas.
        Cancelled: `cancel` was cancelled.
    """
    started = time.perf_counter()
    data = request.text
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not 0 <= request.at < len(request.candidate):
        raise HoleError(
            f"byte {request.at} lies outside the candidate of {len(request.candidate)}",
            fix="give the offset of a character in it",
        )
    candidate = request.candidate.replace(b"\r\n", b"\n")  # as the model writes
    before = request.candidate[: request.at]
    if request.candidate.startswith(b"\n", request.at):
        before = before.removesuffix(b"\r")  # of the same line end
    at = len(before.replace(b"\r\n", b"\n"))
    if mark := mark_before(data, request.start):
        request = replace(request, start=request.start - mark, end=request.end - mark)
        data = data[mark:]
    added = implied_newline(data, request.start) if request.start == request.end else b""
    if added:  # whole lines before a line: their last line end is given
        data = data[: request.start] + added + data[request.start :]
        candidate = candidate.removesuffix(b"\n")
    if at == len(candidate):
        ms = (time.perf_counter() - started) * 1000
        return AlternativesResult("\n", 1.0, (), ms, "the line end before the line below stays")
    opened = infiller.open_range(data, request.start, request.end, request.language, cancel)
    constraint = opened.placement.constraint
    slots, ends = infiller.tokenizer.encode_with_ends(constraint + candidate)
    if len(slots) > opened.room:
        raise CanvasError(f"the candidate takes {len(slots)} tokens, {opened.room} fit a canvas")
    slot = next(i for i, end in enumerate(ends) if end > at + len(constraint))
    found, now = _ranked(infiller, opened, slots, slot, request.count)
    deadline_s = None if request.deadline_ms is None else started + request.deadline_ms / 1000
    canvases = _canvases(infiller, opened, slots, slot, [token for token, _ in found])
    results = sample(
        opened.copying if infiller.copy_weights else opened.model,
        canvases,
        replace(infiller.config.sampler, race_nats=None),
        vocabulary=infiller.vocabulary,
        cancel=cancel,
        deadline_s=deadline_s,
    )
    site = Site(opened.tree, data, request.start, request.end, opened.language, "inline")
    offered: list[Alternative] = []
    for (token, p), canvas, result in zip(found, canvases, results, strict=True):
        pins = len(opened.placement.pins)
        said = read_canvas(infiller.tokenizer, result, pins, constraint, data)
        word = infiller.tokenizer.token_bytes(token).decode("utf-8", "replace")
        if isinstance(said, str) or not result.finished or "\ufffd" in word:
            continue
        # Where it ends a full canvas, nothing else was written.
        score = math.exp(min(0.0, result.mean_log_p)) if MASK in canvas.ids else p
        text = said.text + added.decode()
        offered.append(Alternative(word, p, text, score, adds_no_error(site, said.data)))
    late = any(result.late for result in results)
    reason = OUT_OF_TIME if late else "the model has no other token for this place"
    return AlternativesResult(
        token=infiller.tokenizer.token_bytes(slots[slot]).decode("utf-8", "replace"),
        p=now,
        alternatives=tuple(offered),
        ms=(time.perf_counter() - started) * 1000,
        reason=None if offered else reason,
    )


def _ranked(
    infiller: Infiller, opened: OpenRange, slots: Sequence[int], slot: int, count: int
) -> tuple[list[tuple[int, float]], float]:
    """The most probable other tokens at `slot`, and how probable the one that is there is."""
    pins = opened.placement.pins
    row = [*pins, *slots]
    row[len(pins) + slot] = MASK
    [logits_V] = call_denoiser(opened.model, [row], [[len(pins) + slot]], infiller.vocabulary)
    p_V = torch.softmax(logits_V, dim=-1)
    now = float(p_V[slots[slot]])
    p_V[[slots[slot], DEL]] = 0.0
    spelled = b"".join(infiller.tokenizer.token_bytes(token) for token in slots[:slot])
    due = opened.placement.constraint[len(spelled) :]
    if due:  # this token has to go on with the word that is typed
        allowed = infiller.vocabulary.completing(due)
        mask_V = torch.zeros_like(p_V)
        mask_V[allowed] = 1.0
        p_V *= mask_V
    top = p_V.topk(min(count, len(p_V)))
    pairs = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return [(token, p) for token, p in pairs if p > 0.0], now


def _canvases(
    infiller: Infiller, opened: OpenRange, slots: Sequence[int], slot: int, tokens: Sequence[int]
) -> list[CanvasState]:
    """One canvas for each token: kept on the left, open on the right."""
    pins = opened.placement.pins
    size = next((n for n in SLOT_COUNTS if n > len(slots)), len(slots))
    size = min(opened.room, size)
    left = list(slots[:slot])
    judged = judge(
        opened.model, [FilledCanvas(pins, (*left, token)) for token in tokens], infiller.vocabulary
    )
    canvases: list[CanvasState] = []
    for token, said in zip(tokens, judged, strict=True):
        kept = [
            MASK if log_p < _IMPROBABLE and not opened.placement.constraint else old
            for old, log_p in zip(left, said.log_p[:slot], strict=True)
        ]
        ids = (*pins, *kept, token, *[MASK] * (size - slot - 1))
        canvases.append(CanvasState(ids, len(pins)))
    return canvases
