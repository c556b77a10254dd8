"""What is asked of the engine for a request, and what of its answer is offered.

Of an answer, what the protocol can express, what the filters leave, and how far the first of it
goes. Invariant: pure, but for the trace, which is told what became of every candidate.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lsp_server.completion import context, extent, filters
from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.confidence import pieces
from lsp_server.completion.filters import multiline
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.engine.engine import EngineAnswer, EngineRequest
from lsp_server.observe.trace import Fate, Trace
from lsp_server.reasons import Reason
from lsp_server.settings import Settings


@dataclass(frozen=True, slots=True)
class Offer:
    """What the filters left, best first, and what of it is shown."""

    whole: tuple[Suggestion, ...] = ()
    shown: tuple[Suggestion, ...] = ()


def wanted(request: CompletionRequest, settings: Settings, *, at_once: bool) -> EngineRequest:
    """What the engine is asked; `at_once`: quotes may be the answer."""
    return EngineRequest(
        text=request.document.data,
        cursor=request.cursor,
        language=request.document.grammar,
        alternatives=request.alternatives,
        deadline_ms=settings.inline.max_latency_ms,
        elsewhere=tuple(document.data for document in request.elsewhere),
        repository=request.repository,
        repair=settings.syntax.check == "repair",
        at_once=at_once,
        in_haste=request.automatic,
        least_p=settings.inline.min_confidence if request.automatic and request.sure else 0.0,
    )


def offer_of(
    request: CompletionRequest, answer: EngineAnswer, settings: Settings, trace: Trace
) -> Offer | None:
    """What is offered; None where the answer holds nothing to filter, with the reason traced."""
    if not _expressible(answer, request.document, trace):
        return None
    with trace.stage("filters"):
        left = _filtered(request, answer, settings, trace)
        chosen = extent.choose([suggestion for suggestion, _ in left], request, settings)
    for place, drop in chosen.dropped.items():
        at = left[place][1]
        trace.fates[at] = replace(trace.fates[at], dropped_by="extent", why=drop.why)
    if chosen.start_of is not None:
        characters = len(chosen.shown[0].text)
        trace.facts["start"] = {"characters": characters, "of": chosen.start_of}
    return Offer(tuple(suggestion for suggestion, _ in left), chosen.shown)


def told(fates: Iterable[Fate]) -> str:
    """Why nothing was left, in one line."""
    return "; ".join(f"{fate.dropped_by}: {fate.why}" for fate in fates if fate.dropped_by)


def _expressible(answer: EngineAnswer, document: Document, trace: Trace) -> bool:
    trace.facts["hole"] = {"start": answer.start, "end": answer.end, "kind": answer.kind}
    if not answer.candidates:
        trace.nothing(Reason.NO_CANDIDATE, answer.reason or "")
        return False
    line_start, line_end = document.line(answer.start)
    if not line_start <= answer.start <= answer.end <= line_end:
        trace.nothing(Reason.NOT_EXPRESSIBLE)
        return False
    return True


def _filtered(
    request: CompletionRequest, answer: EngineAnswer, settings: Settings, trace: Trace
) -> list[tuple[Suggestion, int]]:
    """What the filters leave, each with the place of its fate in the trace."""
    around = context.gather(
        request.document,
        answer.start,
        answer.end,
        settings,
        automatic=request.automatic,
        multiline=multiline.is_wanted(
            settings.inline.multiline, answer.kind, automatic=request.automatic
        ),
    )
    found = []
    for candidate in answer.candidates:
        suggestion = Suggestion(
            candidate.text, answer.start, answer.end, candidate.score, candidate.parses
        )
        found.append((candidate, *filters.run(suggestion, around)))
    least = settings.inline.min_confidence if request.automatic else 0.0
    sound = settings.syntax.check != "off" and any(
        isinstance(outcome, Suggestion) and outcome.parses and outcome.score >= least
        for _, outcome, _ in found
    )
    kept: list[tuple[Suggestion, int]] = []
    for candidate, filtered, by in found:
        left = filtered
        if isinstance(left, Suggestion) and sound and not left.parses:
            left = Drop("adds a syntax error, and another one does not")
        if isinstance(left, Suggestion) and any(s.text == left.text for s, _ in kept):
            left = Drop("is the same as an earlier one")
        lines = candidate.text.count("\n") + 1
        fate = Fate(candidate.score, len(candidate.text), lines, quoted=candidate.quoted)
        if isinstance(left, Drop):
            fate = replace(fate, dropped_by=by or "compared", why=left.why)
        else:
            said = pieces(left.text, candidate.tokens)
            kept.append((replace(left, pieces=said), len(trace.fates)))
        trace.fates.append(fate)
    return kept[: max(request.alternatives, 1)]
