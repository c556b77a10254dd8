"""What the next request will need, while somebody reads the answer to this one.

The context of the next line is encoded at once (`ahead.next_requests`). If no key comes for a
while, the likeliest next request is answered, too, and what would be shown there lies in the
forward cache: whoever takes a suggestion, or types it, and opens the next line finds that line's
suggestion without the model. Editors that ask as soon as a suggestion is taken do the same from
their side (VS Code: "speculative requests"); here it is the server's, so that it serves all.

A key that comes while the model answers waits for the end of a pass, hence the pause. Where the
suggestion is likely to be right, the next keys do not need the model, and there is none.

Invariants: nothing here is waited for or raises; a request that goes to the engine ends all of it;
what is foreseen is kept for one document as it would be then, under the settings and the model
that it was made with.
"""

from __future__ import annotations

import asyncio
from functools import partial

from lsp_server.completion import ahead, exchange, trigger
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.exchange import Offer
from lsp_server.completion.pace import Pace
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.engine.engine import Engine, EngineAnswer
from lsp_server.observe.trace import Trace
from lsp_server.settings import Settings

SOON_S = 0.005
"""Until an answer has left: what may come next is worked out behind it, a tree's parse included."""
LIKELY = 0.5
"""Score of a suggestion that is more probably taken than not."""


class Foresight:
    """Of one client, and of one request at a time."""

    def __init__(self) -> None:
        self._expected: CompletionRequest | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._later: asyncio.TimerHandle | None = None

    def look(
        self,
        request: CompletionRequest,
        offer: Offer,
        settings: Settings,
        engine: Engine,
        cache: ForwardCache,
        pace: Pace,
        *,
        at_once: bool = False,
        along: bool = False,
    ) -> None:
        """Prepare for what may follow this answer.

        `at_once`: the model was not asked for it. `along`: nor was it this time, as somebody types
        along an earlier one; then there may be nothing to do.
        """
        if not settings.performance.encode_ahead:
            return
        typing = settings.inline.trigger == "auto"
        contexts = partial(
            ahead.next_requests, request, offer.whole, while_typing=typing, at_once=at_once
        )
        if not along:
            engine.ahead(contexts())
        if not request.automatic:
            return
        loop, generation = asyncio.get_running_loop(), cache.generation

        def consider() -> None:
            following = ahead.next_completion(request, offer)
            if along and (following is None or self._expects(following)):
                return
            _cancel(self._later)
            self._expected = following
            if along:
                engine.ahead(contexts())
            if following is None or trigger.decide(following, settings) or cache.lookup(following):
                return
            likely = bool(offer.shown) and offer.shown[0].score >= LIKELY
            ask = partial(self._ask, following, settings, engine, cache, generation)
            self._later = loop.call_later(0.0 if likely else pace.pause_s, ask)

        _cancel(self._soon)
        self._soon = loop.call_later(SOON_S, consider)

    def stop(self) -> None:
        """Something is asked of the engine: nothing else is expected any more."""
        _cancel(self._soon)
        _cancel(self._later)
        self._expected = None

    def _expects(self, request: CompletionRequest) -> bool:
        expected = self._expected
        return expected is not None and _place(expected) == _place(request)

    def _ask(
        self,
        following: CompletionRequest,
        settings: Settings,
        engine: Engine,
        cache: ForwardCache,
        generation: int,
    ) -> None:
        if cache.generation != generation:  # other settings, or another model
            self._expected = None
            return
        answer = engine.foresee(exchange.wanted(following, settings, at_once=True))
        keep = partial(self._keep, following, settings, cache, generation)
        asyncio.wrap_future(answer).add_done_callback(keep)

    def _keep(
        self,
        following: CompletionRequest,
        settings: Settings,
        cache: ForwardCache,
        generation: int,
        answer: asyncio.Future[EngineAnswer],
    ) -> None:
        """What would be shown goes into the cache; where nothing would, it is asked in its time."""
        if answer.cancelled() or answer.exception() is not None:
            if self._expects(following):
                self._expected = None  # the next key may try again
            return
        trace = Trace("foreseen", following.document.uri)
        offer = exchange.offer_of(following, answer.result(), settings, trace)
        if offer is not None and offer.shown:
            cache.store(following, offer.whole, generation)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _place(request: CompletionRequest) -> tuple[str, int, bytes]:
    return request.document.uri, request.cursor, request.document.data
