"""Whose context is being encoded: a request's own, or that of whoever comes after it.

The context of a line does not depend on what is typed on it up to the cursor. A request that the
next key overtakes has therefore begun what the next request needs first, and so has the work ahead
of need that was at the line which Enter opens. To break it off and begin anew at every key would
mean that somebody who types faster than a context is encoded never gets to the end of one.

Invariant: an encoding whose owner has stopped it goes on as long as the newest request, or its own,
would find its context; it ends within a layer of the model once something else is asked.
"""

from __future__ import annotations

from diffusion.cancel import Cancelled, CancelToken
from lsp_server.engine.engine import EngineRequest


class Newest:
    """The request that came last; None where nobody waits for a context of this kind."""

    __slots__ = ("request",)

    def __init__(self) -> None:
        self.request: EngineRequest | None = None

    def done(self, request: EngineRequest) -> None:
        """It has been answered: let go of its text."""
        if self.request is request:
            self.request = None


class Encoding(CancelToken):
    """What the encoding of one request's context looks at, in place of its owner's token."""

    __slots__ = ("_compared", "_goes_on", "_newest", "_owner", "_request")

    def __init__(self, request: EngineRequest, owner: CancelToken, newest: Newest) -> None:
        super().__init__()
        self._request, self._owner, self._newest = request, owner, newest
        self._compared: EngineRequest | None = None
        self._goes_on = True

    @property
    def is_cancelled(self) -> bool:
        return self._owner.is_cancelled and not self._is_wanted()

    def raise_if_cancelled(self) -> None:
        if self.is_cancelled:
            raise Cancelled(self._owner.reason)

    def _is_wanted(self) -> bool:
        newest = self._newest.request
        if newest is None:
            return False
        if newest is not self._compared:  # once for each, not in every layer
            self._compared = newest
            self._goes_on = newest is self._request or same_context(newest, self._request)
        return self._goes_on


def same_context(one: EngineRequest, other: EngineRequest) -> bool:
    """Whether two requests differ at most in what stands on the line before the cursor."""
    return one.language == other.language and _around(one) == _around(other)


def _around(request: EngineRequest) -> tuple[bytes, bytes]:
    text, cursor = request.text, request.cursor
    return text[: text.rfind(b"\n", 0, cursor) + 1], text[cursor:]
