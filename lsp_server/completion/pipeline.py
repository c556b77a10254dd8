"""One request through its stages: trigger, cache, debounce, engine, filters, extent, ahead.

The engine chooses the hole (`diffusion.text.span`, the same code that training uses), fills it
and says which bytes it replaces. Invariants: nothing is raised for unusual text or a failing
model, an empty answer leaves a `Reason` in the trace; only asyncio's cancellation passes
through, after the model has been told to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

from diffusion.cancel import Cancelled, CancelToken
from lsp_server.completion import ahead, context, extent, filters, trigger
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.candidate import Drop, Suggestion
from lsp_server.completion.confidence import pieces
from lsp_server.completion.filters import multiline
from lsp_server.completion.pace import Pace
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.engine.engine import Engine, EngineAnswer, EngineRequest
from lsp_server.errors import EngineUnavailable
from lsp_server.observe.trace import Fate, Trace
from lsp_server.reasons import Reason
from lsp_server.settings import Settings

logger = logging.getLogger(__name__)


async def complete(
    request: CompletionRequest,
    *,
    settings: Settings,
    engine: Engine,
    cache: ForwardCache,
    cancel: CancelToken,
    trace: Trace,
    pace: Pace,
    pause_s: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[Suggestion, ...]:
    """Suggestions for one cursor, best first; empty with a reason in the trace."""
    trace.language = request.document.language

    # 1. Is this a place to offer anything?
    with trace.stage("trigger"):
        refusal = trigger.decide(request, settings)
    if refusal is not None:
        trace.nothing(refusal.reason, refusal.note)
        return ()

    # 2. Has the user been typing along an earlier answer?
    generation = cache.generation
    with trace.stage("cache"):
        known = extent.choose(cache.lookup(request), request, settings).shown
    trace.facts["cacheHit"] = bool(known)
    if known:
        return known

    # 3. A request in the middle of a burst of typing waits for the key that would overtake it.
    if request.automatic and (wait_ms := pace.wait_ms(settings.inline.debounce_ms)) > 0:
        with trace.stage("debounce"):
            await pause_s(wait_ms / 1000)
        if cancel.is_cancelled:  # overtaken; what is being encoded ahead goes on
            trace.nothing(Reason(cancel.reason))
            return ()

    # 4. The model, or what stands elsewhere, at once; 5. what surrounds the hole; 6. the filters;
    # 7. how far it goes.
    offer = partial(_offer, request, settings, engine, cancel, trace, pace)
    answer, whole, shown = await offer(at_once=request.automatic)
    if answer is not None and answer.at_once and not shown:
        answer, whole, shown = await offer(at_once=False)
    if answer is None:
        return ()
    if not shown:
        trace.nothing(Reason.ALL_FILTERED, _fates(trace.fates))
    likely = whole if shown else ()
    cache.store(request, likely, generation)

    # 8. While the person looks: what they may ask for next.
    if settings.performance.encode_ahead:
        typing, at_once = settings.inline.trigger == "auto", answer.at_once
        likeliest = ahead.next_requests(request, likely, while_typing=typing, at_once=at_once)
        engine.ahead(likeliest)
    return shown


async def _offer(
    request: CompletionRequest,
    settings: Settings,
    engine: Engine,
    cancel: CancelToken,
    trace: Trace,
    pace: Pace,
    *,
    at_once: bool,
) -> tuple[EngineAnswer | None, tuple[Suggestion, ...], tuple[Suggestion, ...]]:
    """The engine's answer (None for nothing to filter), what is left of it, what is shown."""
    with trace.stage("infill"):
        answer = await _ask(request, settings, engine, cancel, trace, at_once=at_once)
    if answer is None:
        return None, (), ()
    if not answer.at_once:
        pace.answered(trace.stages[-1].ms)
    if not _expressible(answer, request.document, trace):
        return None, (), ()
    with trace.stage("filters"):
        left = _filtered(request, answer, settings, trace)
        chosen = extent.choose([suggestion for suggestion, _ in left], request, settings)
    for place, drop in chosen.dropped.items():
        at = left[place][1]
        trace.fates[at] = replace(trace.fates[at], dropped_by="extent", why=drop.why)
    if chosen.start_of is not None:
        characters = len(chosen.shown[0].text)
        trace.facts["start"] = {"characters": characters, "of": chosen.start_of}
    return answer, tuple(suggestion for suggestion, _ in left), chosen.shown


async def _ask(
    request: CompletionRequest,
    settings: Settings,
    engine: Engine,
    cancel: CancelToken,
    trace: Trace,
    *,
    at_once: bool,
) -> EngineAnswer | None:
    others = request.repository
    if others is not None:
        trace.facts["otherFiles"] = {"files": others.files, "lines": others.lines}
    wanted = EngineRequest(
        text=request.document.data,
        cursor=request.cursor,
        language=request.document.grammar,
        alternatives=request.alternatives,
        deadline_ms=settings.inline.max_latency_ms,
        elsewhere=tuple(document.data for document in request.elsewhere),
        repository=others,
        repair=settings.syntax.check == "repair",
        at_once=at_once,
        in_haste=request.automatic,
    )
    future = engine.submit(wanted, cancel)
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        # pygls cancelled the handler. The worker hears of it through the token only.
        cancel.cancel(Reason.CANCELLED)
        trace.nothing(Reason(cancel.reason))
        raise
    except Cancelled as cancelled:
        trace.nothing(Reason(cancelled.reason))
    except EngineUnavailable as error:
        trace.nothing(Reason.MODEL_UNAVAILABLE, str(error))
    except Exception as error:
        # One of the broad catches of the server: a bug or a full memory in the model must
        # leave the editor with an explained empty answer.
        logger.exception("the engine failed")
        trace.nothing(Reason.ENGINE_FAILED, type(error).__name__)
    return None


def _expressible(answer: EngineAnswer, document: Document, trace: Trace) -> bool:
    trace.facts["hole"] = {"start": answer.start, "end": answer.end, "kind": answer.kind}
    trace.facts["steps"] = answer.steps
    trace.facts["contextCached"] = answer.context_cached
    trace.facts["contextRead"] = answer.context_read
    trace.facts["atOnce"] = answer.at_once
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
        candidate.parses and isinstance(outcome, Suggestion) and outcome.score >= least
        for candidate, outcome, _ in found
    )
    kept: list[tuple[Suggestion, int]] = []
    for candidate, filtered, by in found:
        left = filtered
        if isinstance(left, Suggestion) and sound and not candidate.parses:
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


def _fates(fates: Iterable[Fate]) -> str:
    return "; ".join(f"{fate.dropped_by}: {fate.why}" for fate in fates if fate.dropped_by)
