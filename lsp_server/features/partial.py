"""Drafts of our own requests as partial results: `$/progress` with the request's token.

A request that names a `partialResultToken` hears how far its holes are while the model unmasks
them. A value: `{ranges, texts, done}`; `texts[k]` is what range k would hold, as a list of texts
and of numbers of open slots. Unlike the partial results of the standard, which are pieces of the
answer and leave the rest to it, every draft takes the place of the one before, and the answer is
complete in itself.

Invariants: of one request no draft is sent after its answer, after it was cancelled or after its
document has changed, and no two within `Session.draft_interval_s`; a draft in between is dropped,
the next one says more.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from lsp_server.document import Document
from lsp_server.engine.tasks import EngineDraft
from lsp_server.features import params
from lsp_server.reasons import Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

TOKEN = "partialResultToken"


def token_of(raw: dict[str, Any]) -> types.ProgressToken | None:
    """The token that params name, if any. Raises JsonRpcInvalidParams for what is none."""
    token = params.as_whole(raw.get(TOKEN))
    if token is None or (isinstance(token, (int, str)) and not isinstance(token, bool)):
        return token
    raise JsonRpcInvalidParams(f"{TOKEN} is {token!r}; give a number or a string")


class Drafts:
    """The drafts of one request, from the engine's thread to the client."""

    def __init__(
        self,
        ls: DiffillServer,
        document: Document,
        token: types.ProgressToken,
        cancel: CancelToken,
    ) -> None:
        """Made on the event loop, which then sends."""
        self._ls = ls
        self._document = document
        self._token = token
        self._cancel = cancel
        self._loop = asyncio.get_running_loop()
        self._sent_s: float | None = None

    def __call__(self, draft: EngineDraft) -> None:
        """Take a draft, on any thread."""
        try:
            self._loop.call_soon_threadsafe(self._send, draft)
        except RuntimeError:
            # The loop is closed: the server has ended, and nobody is left to hear of it.
            self._cancel.cancel(Reason.SHUTTING_DOWN)

    def _send(self, draft: EngineDraft) -> None:
        now_s = time.monotonic()
        if self._cancel.is_cancelled:
            return
        if self._sent_s is not None and now_s - self._sent_s < self._ls.session.draft_interval_s:
            return
        self._sent_s = now_s
        value = {
            "ranges": [params.range_json(self._ls, self._document, *span) for span in draft.holes],
            "texts": [list(pieces) for pieces in draft.pieces],
            "done": round(draft.done, 4),
        }
        self._ls.protocol.notify(types.PROGRESS, types.ProgressParams(self._token, value))


def drafts_of(
    ls: DiffillServer,
    document: Document,
    token: types.ProgressToken | None,
    cancel: CancelToken,
) -> Drafts | None:
    """What sends the drafts of a request; None for one that wants none.

    `cancel` must be set when the request has been answered.
    """
    return None if token is None else Drafts(ls, document, token, cancel)
