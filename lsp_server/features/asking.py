"""Questions to the client, which may never answer, or answer with anything.

Invariants: an answer is plain JSON, which whoever asked is to look at; a question that nobody
waits for any more is forgotten, so that unanswered ones do not pile up, and its late answer is no
error.
"""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


@attrs.define
class _Answer:
    """A response whose result is not made into anything."""

    id: int | str
    result: Any = None
    jsonrpc: str = "2.0"


async def ask(
    ls: DiffillServer, method: str, params: Any, *, most_s: float | None = None
) -> Any:
    """The client's answer. Raises JsonRpcException where it is an error, TimeoutError."""
    number = str(uuid.uuid4())
    question = _send(ls, method, params, number)
    try:
        async with asyncio.timeout(most_s):
            return await asyncio.wrap_future(question)
    finally:
        ls.protocol._request_futures.pop(number, None)
        ls.protocol._result_types.pop(number, None)


def send(ls: DiffillServer, method: str, params: Any) -> Future[Any]:
    """Ask without waiting; the future is done on the event loop."""
    return _send(ls, method, params, str(uuid.uuid4()))


def _send(ls: DiffillServer, method: str, params: Any, number: str) -> Future[Any]:
    question = ls.protocol.send_request(method, params, msg_id=number)
    ls.protocol._result_types[number] = _Answer
    return question
