"""`diffill/rewrite`: other texts for a selection, from a touch to written anew.

Params: `{textDocument: {uri}, range, strength?, alternatives?, keep?}`. Result: `{rewrites: [{text,
score, changed, parses}], range, masked, reason}`; `reason` is a sentence where there are none.
What is wrong with the params is answered as InvalidParams, naming it. Nothing is edited: the
client shows the rewrites and applies one.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineRewriteAnswer, EngineRewriteRequest
from lsp_server.features import params, partial
from lsp_server.protocol import REWRITE
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


@dataclass(frozen=True, slots=True)
class _Asked:
    document: Document
    request: EngineRewriteRequest
    partial_token: types.ProgressToken | None


def rewrite(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    asked = _read(ls, raw)
    token = ls.session.take_off(asked.document.uri, REWRITE)
    try:
        result: dict[str, Any] = yield _answer, (ls, asked, token), {}
    finally:
        ls.session.land(asked.document.uri, REWRITE, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


async def _answer(ls: DiffillServer, asked: _Asked, token: CancelToken) -> dict[str, Any]:
    request = asked.request
    drafts = partial.drafts_of(ls, asked.document, asked.partial_token, token)
    told = await params.answered(
        ls,
        asked.document,
        "a rewrite",
        token,
        lambda: ls.session.engine.submit_rewrite(request, token, drafts),
    )
    answer = told.answer or EngineRewriteAnswer(())
    reason = told.reason or answer.reason or SENTENCES[Reason.NO_CANDIDATE]
    return {
        "rewrites": [
            {
                "text": found.text,
                "score": round(found.score, 4),
                "changed": round(found.changed, 4),
                "parses": found.parses,
            }
            for found in answer.rewrites
        ],
        "range": params.range_json(ls, asked.document, request.start, request.end),
        "masked": answer.masked,
        "reason": None if answer.rewrites else reason,
    }


def _read(ls: DiffillServer, raw: Any) -> _Asked:
    """The params, checked. Raises JsonRpcInvalidParams that names what is wrong."""
    document = params.document_of(ls, raw)
    start, end = params.span_of(ls, document, raw.get("range"), "range")
    if not convert.is_known(document, start, end):
        raise JsonRpcInvalidParams("range holds bytes that are no UTF-8; select text without them")
    return _Asked(
        document,
        EngineRewriteRequest(
            document.data,
            start,
            end,
            document.grammar,
            params.share_of(raw, "strength", 0.5),
            params.count_of(raw, "alternatives", 3),
            params.DEADLINE_MS,
            params.spans_of(ls, document, raw, "keep"),
        ),
        partial.token_of(raw),
    )


def register(server: DiffillServer) -> None:
    server.feature(REWRITE)(rewrite)
