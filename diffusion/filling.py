"""Fill several holes of a document together.

Every hole's canvas lies in one context, which is encoded once; a draft fills all of them, and its
canvases see each other's text (`process.joint`). Then the holes are made to agree (`agreeing`).
Training shows a model several holes in a window, too, but there no canvas sees another; why serving
lets them is in docs/decisions/0011.

Lengths: each part gets the canvas sizes that its kind of hole has, and a draft takes the sizes of
one rank for all parts; a canvas may end before its last slot. Holes that lie too far apart for one
context are filled group by group, the first ones being part of the text for those that follow.

Each group has its share of the time; one that comes to nothing leaves what it holds in its holes.

Invariants: nothing outside the holes changes, and no pin does; `Fill.texts[k]` replaces hole k; an
empty list of fills comes with a reason, and so do fills of some holes only.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from diffusion.agreeing import LENGTH_WEIGHT, AgreedPart, Setting, agree
from diffusion.cancel import CancelToken
from diffusion.candidates import TokenScore, token_scores
from diffusion.drafts import CanvasWatch, OnDraft, OnPieces, Outline
from diffusion.infill import Infiller, InfillRequest
from diffusion.open_parts import OpenParts, groups_of, open_parts, with_implied_newlines, with_texts
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.joint import JointOrder, sample_jointly
from diffusion.text.byte_order_mark import mark_before
from diffusion.text.canvas import MAX_CANVAS, canvas_ids, place
from diffusion.text.languages import canonical
from diffusion.text.line_index import LineIndex
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.parts import Part, Span, split
from diffusion.text.span import classify
from diffusion.text.syntax import SyntaxTree
from diffusion.written import OUT_OF_TIME, read_canvas

AT_ONCE = JointOrder(together_p=0.0)
_TEMPERATURE = 0.8


@dataclass(frozen=True, slots=True)
class FillRequest:
    """Fill byte ranges `holes` of `text`; `pins` are ranges inside them that stay as they are.

    `sizes`: canvas sizes in slots, instead of those of each part's kind of hole. `order` and
    `agreeing`: see `process.joint` and `agreeing`; for measuring. `elsewhere` and `repository`:
    what else a single hole's text may be quoted from, as in `InfillRequest`.
    """

    text: str | bytes
    holes: tuple[Span, ...]
    language: str
    pins: tuple[Span, ...] = ()
    alternatives: int = 1
    deadline_ms: float | None = None
    sizes: tuple[int, ...] = ()
    order: JointOrder = AT_ONCE
    agreeing: bool = True
    elsewhere: tuple[bytes, ...] = ()
    repository: LineIndex | None = None


@dataclass(frozen=True, slots=True)
class Fill:
    """A text for every hole, in the order of the request, with the tokens that were written.

    `score`: geometric mean probability of those tokens over all holes (of a single hole, the
    score that `Infiller.infill` gives). `parses`: the document with all of them does.
    """

    texts: tuple[str, ...]
    score: float
    tokens: tuple[tuple[TokenScore, ...], ...]
    parses: bool


@dataclass(frozen=True, slots=True)
class FillResult:
    """Fills, best first. `reason` says why there are none, or none for some of the holes."""

    fills: tuple[Fill, ...]
    ms: float
    steps: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """Texts and tokens of the parts of one group."""

    texts: tuple[bytes, ...]
    tokens: tuple[tuple[TokenScore, ...], ...]
    log_p: float
    count: int
    parses: bool
    value: float
    finished: bool


def fill(
    infiller: Infiller,
    request: FillRequest,
    *,
    cancel: CancelToken | None = None,
    on_draft: OnDraft | None = None,
) -> FillResult:
    """Fill holes together. `on_draft` hears after every pass how far the holes are.

    Raises:
        HoleError: holes or pins that make no sense, see `text.parts.split`.
        CanvasError: what is typed before a hole leaves no room on its canvas.
        Cancelled: `cancel` was cancelled.
    """
    started = time.perf_counter()
    cancel = cancel or CancelToken()
    data = request.text
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    parts = split(data, request.holes, request.pins)
    if mark := mark_before(data, min(start for start, _ in request.holes)):
        holes = tuple((start - mark, end - mark) for start, end in request.holes)
        pins = tuple((start - mark, end - mark) for start, end in request.pins)
        request, data = replace(request, holes=holes, pins=pins), data[mark:]
        parts = split(data, holes, pins)
    deadline_s = None if request.deadline_ms is None else started + request.deadline_ms / 1000
    if len(request.holes) == 1 and not request.pins and not request.sizes:
        return _alone(infiller, request, data, cancel, on_draft)
    data, spans, parts = with_implied_newlines(data, request.holes, parts)
    outline = Outline(data, tuple(spans), tuple(parts))
    steps, reason = 0, "all text of the holes is pinned, so that nothing is left to fill"
    found: list[list[_Draft]] = []
    unfilled: set[int] = set()
    groups = groups_of(parts)
    for number, group in enumerate(groups):
        before = [text for done in found for text in done[0].texts]
        text, moved = with_texts(data, parts, before, group)
        tell = None if on_draft is None else outline.teller(on_draft, before)
        now_s, share_s = time.perf_counter(), None
        if deadline_s is not None:
            share_s = now_s + (deadline_s - now_s) / (len(groups) - number)
        drafts: list[_Draft] = []
        passes, why = 0, OUT_OF_TIME
        if share_s is None or share_s > now_s:
            drafts, passes, why = _fill_group(
                infiller, request, text, moved, cancel, share_s, tell
            )  # fmt: skip
        steps += passes
        if not drafts:
            drafts, reason = [_as_it_is(data, group)], why
            unfilled |= {part.hole for part in group}
            for part in group:
                if part.start == part.end:  # no lines, so no line end behind them
                    spans[part.hole] = (part.start, part.end)
        found.append(drafts)
    fills: list[Fill] = []
    if any(group_drafts[0].count for group_drafts in found):
        with suppress(UnicodeDecodeError):  # a hole keeps bytes that are no text
            fills = _fills(data, spans, parts, found)
    if fills and unfilled:
        filled = len(spans) - len(unfilled)
        reason = f"{filled} of {len(spans)} holes were filled; for the others, {reason}"
    return FillResult(
        fills=tuple(fills[: request.alternatives]),
        ms=(time.perf_counter() - started) * 1000,
        steps=steps,
        reason=reason if unfilled or not fills else None,
    )


def _alone(
    infiller: Infiller, request: FillRequest, data: bytes, cancel: CancelToken,
    on_draft: OnDraft | None,
) -> FillResult:  # fmt: skip
    """A single hole is a completion, with all that belongs to one: quotes and a fitted order."""
    [(start, end)] = request.holes
    asked = InfillRequest(
        data[:start] + data[end:], start, request.language,
        alternatives=request.alternatives, deadline_ms=request.deadline_ms,
        elsewhere=request.elsewhere, repository=request.repository, within_line=start < end,
    )  # fmt: skip
    watch = None
    if on_draft is not None:
        outline = Outline(data, request.holes, (Part(0, start, end, False),))
        placement = place(infiller.tokenizer, data, start, start)  # of the end no draft knows
        watch = CanvasWatch(infiller.tokenizer, [placement], outline.teller(on_draft))
    result = infiller.infill(asked, cancel=cancel, on_step=watch)
    fills = tuple(Fill((c.text,), c.score, (c.tokens,), c.parses) for c in result.candidates)
    return FillResult(fills, result.ms, result.steps, result.reason)


def _as_it_is(data: bytes, group: Sequence[Part]) -> _Draft:
    """In place of a group's drafts, where there are none."""
    texts = tuple(data[part.start : part.end] for part in group)
    return _Draft(texts, ((),) * len(texts), 0.0, 0, parses=True, value=0.0, finished=False)


def _fill_group(
    infiller: Infiller,
    request: FillRequest,
    data: bytes,
    parts: Sequence[Part],
    cancel: CancelToken,
    deadline_s: float | None,
    tell: OnPieces | None = None,
) -> tuple[list[_Draft], int, str]:
    """Drafts of a group, best first; how many passes they took; why there are none."""
    tree = SyntaxTree.parse(data, request.language, budget_ms=infiller.config.parse_budget_ms)
    spans = [(part.start, part.end) for part in parts]
    opened = open_parts(infiller, data, spans, request.language, cancel)
    allowance = ParseAllowance()
    kinds = tuple(_kind(tree, part, allowance) for part in parts)
    setting = Setting(data, tree, canonical(request.language), tuple(parts), kinds, allowance)
    passes = 0
    watch = None if tell is None else CanvasWatch(infiller.tokenizer, opened.placements, tell)

    def count(snapshot: StepSnapshot) -> None:
        nonlocal passes
        passes += 1
        if watch is not None:
            watch(snapshot)

    config = infiller.config.sampler
    if config.race_nats is not None:
        config = replace(config, race_nats=config.race_nats * len(parts))
    canvases = _canvases(infiller, request, opened, parts, kinds)
    begun_s = time.perf_counter()
    results = sample_jointly(
        opened.denoise,
        canvases,
        config,
        vocabulary=infiller.vocabulary,
        order=request.order,
        cancel=cancel,
        deadline_s=deadline_s,
        on_step=count,
    )
    row_s = (time.perf_counter() - begun_s) / max(1, passes * len(canvases))
    best: dict[tuple[bytes, ...], _Draft] = {}
    reason = "the model left a hole empty"
    for result in results:
        read = _read(infiller, opened, setting, result, cancel)
        if isinstance(read, str):
            reason = read
        elif read.texts not in best or best[read.texts].value < read.value:
            best[read.texts] = read
    drafts = sorted(best.values(), key=lambda d: (d.finished, d.parses, d.value), reverse=True)
    pinned = any(part.beside_pin for part in parts)
    if drafts and request.agreeing and len(parts) > 1 and not pinned:
        texts = [draft.texts for draft in drafts]
        agreed = agree(infiller, opened, setting, texts, cancel, deadline_s, row_s)
        if agreed is not None:
            first = _agreed(infiller, opened, setting, agreed[0], cancel)
            drafts = [first, *(draft for draft in drafts if draft.texts != first.texts)]
            passes += agreed[1]
    return drafts, passes, reason


def _agreed(
    infiller: Infiller, opened: OpenParts, setting: Setting, parts: Sequence[AgreedPart],
    cancel: CancelToken,
) -> _Draft:  # fmt: skip
    texts = tuple(part.text for part in parts)
    return _Draft(
        texts=texts,
        tokens=tuple(
            token_scores(
                infiller.tokenizer, part.slots, tuple(map(math.exp, part.log_p)), place.constraint
            )
            for part, place in zip(parts, opened.placements, strict=True)
        ),
        log_p=sum(sum(part.log_p) + part.end_log_p for part in parts),
        count=sum(len(part.slots) + 1 for part in parts),
        parses=setting.parse_with(texts, cancel),
        value=sum(part.value for part in parts) / len(parts),
        finished=True,
    )


def _kind(tree: SyntaxTree, part: Part, allowance: ParseAllowance) -> str:
    cut = allowance.edited(tree, part.start, part.end, b"")
    return classify(cut, cut.data, part.start)


def _canvases(
    infiller: Infiller, request: FillRequest, opened: OpenParts, parts: Sequence[Part],
    kinds: Sequence[str],
) -> list[list[CanvasState]]:  # fmt: skip
    """Drafts of rising length, then bolder ones of the middle length."""
    sizes: list[tuple[int, ...]] = []
    for placement, kind in zip(opened.placements, kinds, strict=True):
        room = MAX_CANVAS - len(placement.pins)
        sizes.append(
            tuple(min(size, room) for size in request.sizes)
            or infiller.lengths.sizes(
                canonical(request.language),
                kind,
                max_slots=room,
                quantiles=infiller.ranking.quantiles,
            )
        )

    def draft(rank: int, temperature: float | None = None) -> list[CanvasState]:
        return [
            CanvasState(
                canvas_ids(placement.pins, size[min(rank, len(size) - 1)]),
                len(placement.pins),
                placement.constraint,
                temperature=temperature,
                allow_empty=part.beside_pin,
            )
            for placement, size, part in zip(opened.placements, sizes, parts, strict=True)
        ]

    ranks = max(map(len, sizes))
    bold = 0 if request.alternatives == 1 else request.alternatives
    return [draft(rank) for rank in range(ranks)] + [
        draft((ranks - 1) // 2, _TEMPERATURE) for _ in range(bold)
    ]


def _read(
    infiller: Infiller, opened: OpenParts, setting: Setting, results: Sequence[CanvasResult],
    cancel: CancelToken,
) -> _Draft | str:  # fmt: skip
    """A draft read back, or why it cannot be."""
    texts: list[bytes] = []
    tokens: list[tuple[TokenScore, ...]] = []
    log_p, count, prior = 0.0, 0, 0.0
    for part, placement, kind, result in zip(
        setting.parts, opened.placements, setting.kinds, results, strict=True
    ):
        pins, typed = len(placement.pins), placement.constraint
        said = read_canvas(infiller.tokenizer, result, pins, typed, setting.data)
        if isinstance(said, str):
            return said
        if not said.data.strip() and not part.beside_pin:
            return OUT_OF_TIME if result.late else "a hole stayed empty"
        texts.append(said.data)
        tokens.append(token_scores(infiller.tokenizer, said.slots, said.token_p, typed))
        kept = len(said.slots)
        judged = said.token_p[: kept + (result.reason == "ended")]
        log_p += sum(math.log(max(p, 1e-12)) for p in judged)
        count += len(judged)
        prior += infiller.lengths.prior(setting.language, kind, kept)
    return _Draft(
        texts=tuple(texts),
        tokens=tuple(tokens),
        log_p=log_p,
        count=count,
        parses=setting.parse_with(texts, cancel),
        value=log_p / max(1, count) + LENGTH_WEIGHT * prior / len(texts),
        finished=all(result.finished for result in results),
    )


def _fills(
    data: bytes, holes: Sequence[Span], parts: Sequence[Part], found: Sequence[list[_Draft]]
) -> list[Fill]:
    """Fills of the document: the best drafts of all groups, the second ones, and so on."""
    fills: list[Fill] = []
    for rank in range(max(map(len, found), default=0)):
        drafts = [group[min(rank, len(group) - 1)] for group in found]
        texts = [text for draft in drafts for text in draft.texts]
        tokens = [scores for draft in drafts for scores in draft.tokens]
        said: list[bytes] = []
        written: list[tuple[TokenScore, ...]] = []
        for number, (start, end) in enumerate(holes):
            out, at = bytearray(), start
            scores: list[TokenScore] = []
            for part, text, more in zip(parts, texts, tokens, strict=True):
                if part.hole == number:
                    out += data[at : part.start] + text
                    at = part.end
                    scores += more
            said.append(bytes(out + data[at:end]))
            written.append(tuple(scores))
        log_p, count = sum(d.log_p for d in drafts), sum(d.count for d in drafts)
        fills.append(
            Fill(
                texts=tuple(text.decode("utf-8") for text in said),
                score=math.exp(log_p / max(1, count)),
                tokens=tuple(written),
                parses=all(draft.parses for draft in drafts),
            )
        )
    return fills
