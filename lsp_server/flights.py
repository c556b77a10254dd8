"""The requests that are under way, and what tells them to stop.

Invariants: of one document and method at most one request is under way, a newer one takes its
place; what is in the background gives way to every other request, in any document; a request that
is told to stop stays here until it has ended. Used from the event loop's thread only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from diffusion.cancel import CancelToken
from lsp_server.reasons import Reason


class Flights:
    """Of one client. `background`: methods that give way to every other one."""

    def __init__(self, background: Collection[str]) -> None:
        self._background = background
        self._tokens: dict[tuple[str, str], CancelToken] = {}

    def __iter__(self) -> Iterator[tuple[str, CancelToken]]:
        """Of each its document and what tells it to stop."""
        return ((uri, token) for (uri, _), token in self._tokens.items())

    def __len__(self) -> int:
        return len(self._tokens)

    def begin(self, uri: str, method: str) -> CancelToken:
        """A request; the one before it for this document and method is told to stop."""
        if (older := self._tokens.get((uri, method))) is not None:
            older.cancel(Reason.SUPERSEDED)
        if method not in self._background:
            self.cancel_background()
        token = self._tokens[uri, method] = CancelToken()
        return token

    def end(self, uri: str, method: str, token: CancelToken) -> None:
        """A request has ended, in whatever way."""
        if self._tokens.get((uri, method)) is token:
            del self._tokens[uri, method]

    def cancel(self, reason: Reason, uri: str | None = None) -> None:
        """All requests for a document, or for any, are told to stop."""
        for one, token in self:
            if uri is None or one == uri:
                token.cancel(reason)

    def cancel_background(self) -> None:
        for (_, method), token in self._tokens.items():
            if method in self._background:
                token.cancel(Reason.SUPERSEDED)

    def cancel_foreground(self, reason: Reason) -> None:
        for (_, method), token in self._tokens.items():
            if method not in self._background:
                token.cancel(reason)
