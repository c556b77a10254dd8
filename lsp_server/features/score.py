"""`diffill/score`: how probable every word of a document, or of a range, is to the model.

Params: `{textDocument: {uri}, range?, codeOnly?}`. Result: `{words: [{range, text, p,
alternatives: [{text, p}]}], range, complete, tokens, reason}`. The cost is bounded: `range` says
how far it came, `complete` whether that is all of it. What is wrong with the params is answered as
InvalidParams, naming it. The engine is asked for a few words at a time, so that whoever types
meanwhile waits for these few alone.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import Cancelled, CancelToken
from diffusion.suspicion import ScoredWord
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineScoreAnswer, EngineScoreRequest
from lsp_server.features import params
from lsp_server.protocol import SCORE
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

MAX_TOKENS = 4000
PIECE_TOKENS = 112
"""One stretch of the model's: some 150 ms on one core."""
LONGEST_S = 10.0


def score(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    document, asked = _read(ls, raw)
    token = ls.session.take_off(document.uri, SCORE)
    try:
        result: dict[str, Any] = yield _answer, (ls, document, asked, token), {}
    finally:
        ls.session.land(document.uri, SCORE, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


async def ask(
    ls: DiffillServer, document: Document, asked: EngineScoreRequest, token: CancelToken
) -> tuple[EngineScoreAnswer, str | None]:
    """The engine's answer, or an empty one and a sentence. Raises Cancelled."""
    told = await params.answered_unless_cancelled(
        ls, document, "scoring", token, lambda: ls.session.engine.submit_score(asked, token)
    )
    return told.answer or EngineScoreAnswer((), asked.start), told.reason or None


async def _answer(
    ls: DiffillServer, document: Document, asked: EngineScoreRequest, token: CancelToken
) -> dict[str, Any]:
    reason: str | None = None
    answer = EngineScoreAnswer((), asked.start)
    due_s = time.monotonic() + LONGEST_S
    try:
        while reason is None and answer.end < asked.end and answer.tokens < asked.max_tokens:
            most = min(PIECE_TOKENS, asked.max_tokens - answer.tokens)
            piece, reason = await ask(
                ls, document, replace(asked, start=answer.end, max_tokens=most), token
            )
            stuck = piece.end <= answer.end
            answer = EngineScoreAnswer(
                answer.words + piece.words, piece.end, answer.tokens + piece.tokens
            )
            if stuck or time.monotonic() > due_s:
                break
    except Cancelled as cancelled:
        answer = EngineScoreAnswer((), asked.start)
        reason = SENTENCES[Reason(cancelled.reason)]
    encoding, unstructure = ls.session.encoding, ls.protocol._converter.unstructure
    looked_at = convert.range_at(asked.start, answer.end, document, encoding)
    return {
        "words": [
            {"range": unstructure(where), "text": word.text, **numbers(word)}
            for word, where in zip(
                answer.words, ranges(answer.words, document, encoding), strict=True
            )
        ],
        "range": unstructure(looked_at),
        "complete": answer.end >= asked.end,
        "tokens": answer.tokens,
        "reason": reason,
    }


def numbers(word: ScoredWord) -> dict[str, Any]:
    """The probabilities of a word, for JSON."""
    return {
        "p": round(word.p, 6),
        "alternatives": [{"text": a.text, "p": round(a.p, 6)} for a in word.alternatives],
    }


def ranges(
    words: tuple[ScoredWord, ...], document: Document, encoding: str
) -> list[types.Range]:
    """Where words stand."""
    return [convert.range_at(word.start, word.end, document, encoding) for word in words]


def _read(ls: DiffillServer, raw: Any) -> tuple[Document, EngineScoreRequest]:
    """The params, checked. Raises JsonRpcInvalidParams that names what is wrong."""
    document = params.open_document(ls, raw)
    code_only = params.given(raw, "codeOnly", False)
    if not isinstance(code_only, bool):
        raise JsonRpcInvalidParams(f"codeOnly is {code_only!r}; give true or false")
    start, end = 0, len(document.data)
    if raw.get("range") is not None:
        start, end = params.span_of(ls, document, raw["range"], "range")
    return document, EngineScoreRequest(
        document.data, start, end, document.grammar, MAX_TOKENS, code_only
    )


def register(server: DiffillServer) -> None:
    server.feature(SCORE)(score)
