"""`diffill/alternatives`: other tokens for one place of a shown text, the rest denoised around it.

Params: `{textDocument, range, text, offset, n?}`: `text` was offered for `range`, `offset` is that
of a character in it, in the units of positions. Result: `{token, p, alternatives: [{token, p,
text, score, parses}], reason}`; each `text` replaces `range`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from lsp_server import convert
from lsp_server.document import Document, to_bytes
from lsp_server.engine.tasks import EngineAlternativesRequest
from lsp_server.features import params
from lsp_server.protocol import ALTERNATIVES
from lsp_server.reasons import Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

MAX_CHARACTERS = 10_000
"""Of a text: no offered one is nearly as long, and each is looked at on the event loop."""


def alternatives(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    document = params.document_of(ls, raw)
    start, end = params.span_of(ls, document, raw.get("range"), "range")
    text, offset = raw.get("text"), params.as_whole(raw.get("offset"))
    if not isinstance(text, str) or not text:
        raise JsonRpcInvalidParams("text is empty or no string; give the text that was offered")
    if len(text) > MAX_CHARACTERS:
        raise JsonRpcInvalidParams(
            f"text has {len(text)} characters; give what was offered, at most {MAX_CHARACTERS}"
        )
    whole = convert.units(text, ls.session.encoding)
    if not isinstance(offset, int) or isinstance(offset, bool) or not 0 <= offset < whole:
        raise JsonRpcInvalidParams(
            f"offset is {offset!r}; give that of a character of text, 0 to {whole - 1}"
        )
    request = EngineAlternativesRequest(
        document.data,
        start,
        end,
        document.grammar,
        to_bytes(text),
        _byte_of(text, offset, ls.session.encoding),
        params.count_of(raw, "n", 3),
        params.DEADLINE_MS,
    )
    token = ls.session.take_off(document.uri, ALTERNATIVES)
    try:
        result: dict[str, Any] = yield _answer, (ls, document, request, token), {}
    finally:
        ls.session.land(document.uri, ALTERNATIVES, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


def _byte_of(text: str, offset: int, encoding: str) -> int:
    """The byte at which the character that holds unit `offset` begins."""
    at = 0
    for character in text:
        step = convert.units(character, encoding)
        if offset < step:
            break
        offset -= step
        at += len(to_bytes(character))
    return at


async def _answer(
    ls: DiffillServer, document: Document, request: EngineAlternativesRequest, token: CancelToken
) -> dict[str, Any]:
    told = await params.answered(
        ls,
        document,
        "a question for alternatives",
        token,
        lambda: ls.session.engine.submit_alternatives(request, token),
    )
    answer = told.answer
    if answer is None:
        return {"token": None, "p": None, "alternatives": [], "reason": told.reason}
    return {
        "token": answer.token,
        "p": round(answer.p, 4),
        "alternatives": [
            {
                "token": found.token,
                "p": round(found.p, 4),
                "text": found.text,
                "score": round(found.score, 4),
                "parses": found.parses,
            }
            for found in answer.alternatives
        ],
        "reason": None if answer.alternatives else answer.reason,
    }


def register(server: DiffillServer) -> None:
    server.feature(ALTERNATIVES)(alternatives)
