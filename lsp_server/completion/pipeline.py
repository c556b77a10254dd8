"""One request through its stages: trigger, cache, debounce, engine, filters, extent, ahead.

The engine chooses the hole (`diffusion.text.span`, the same code that training uses), fills it
and says which bytes it replaces. Invariants: nothing is raised for unusual text or a failing
model, an empty answer leaves a `Reason` in the trace; only asyncio's cancellation passes
through, after the model has been told to stop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from diffusion.cancel import Cancelled, CancelToken
from lsp_server.completion import exchange, extent, trigger
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.exchange import Offer
from lsp_server.completion.foresight import Foresight
from lsp_server.completion.pace import Pace
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.engine.engine import Engine, EngineAnswer
from lsp_server.errors import EngineUnavailable
from lsp_server.observe.trace import Trace
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
    foresight: Foresight,
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
        rest = cache.lookup(request)
        known = extent.choose(rest, request, settings).shown
    trace.facts["cacheHit"] = bool(known)
    if known:
        foresight.look(request, Offer(rest, known), settings, engine, cache, pace, along=True)
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
    foresight.stop()
    offer_of = partial(_offer, request, settings, engine, cancel, trace, pace)
    answer, offer = await offer_of(at_once=request.automatic)
    if answer is not None and offer is not None and answer.at_once and not offer.shown:
        answer, offer = await offer_of(at_once=False)
    if answer is None or offer is None:
        return ()
    if not offer.shown:
        trace.nothing(Reason.ALL_FILTERED, exchange.told(trace.fates))
    likely = offer.whole if offer.shown else ()
    cache.store(request, likely, generation)
    if cancel.is_cancelled:  # overtaken; a newer one has said that nothing is expected
        return offer.shown

    # 8. While the person looks: what they may ask for next.
    offer = Offer(likely, offer.shown)
    foresight.look(request, offer, settings, engine, cache, pace, at_once=answer.at_once)
    return offer.shown


async def _offer(
    request: CompletionRequest,
    settings: Settings,
    engine: Engine,
    cancel: CancelToken,
    trace: Trace,
    pace: Pace,
    *,
    at_once: bool,
) -> tuple[EngineAnswer | None, Offer | None]:
    """The engine's answer, and what of it is offered; None for nothing to filter."""
    with trace.stage("infill"):
        answer = await _ask(request, settings, engine, cancel, trace, at_once=at_once)
    if answer is None:
        return None, None
    if not answer.at_once:
        pace.answered(trace.stages[-1].ms)
    trace.facts["steps"] = answer.steps
    trace.facts["contextCached"] = answer.context_cached
    trace.facts["contextRead"] = answer.context_read
    trace.facts["atOnce"] = answer.at_once
    return answer, exchange.offer_of(request, answer, settings, trace)


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
    wanted = exchange.wanted(request, settings, at_once=at_once)
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
