"""`diffill/score`: how probable every word of a document, or of a range, is to the model.

Params: `{textDocument: {uri}, range?, codeOnly?}`. Result: `{words: [{range, text, p,
alternatives: [{text, p}]}], range, complete, tokens, reason}`. The cost is bounded: `range` says
how far it came, `complete` whether that is all of it. What is wrong with the params is answered as
InvalidParams, naming it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import DiffillError
from diffusion.suspicion import ScoredWord
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineScoreAnswer, EngineScoreRequest
from lsp_server.errors import EngineUnavailable
from lsp_server.protocol import SCORE
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
MAX_TOKENS = 4000


def score(ls: DiffillServer, params: Any) -> Generator[Any, Any, dict[str, Any]]:
    document, asked = _read(ls, params)
    token = ls.session.take_off(document.uri, SCORE)
    try:
        result: dict[str, Any] = yield _answer, (ls, document, asked, token), {}
    finally:
        ls.session.land(document.uri, SCORE, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


async def ask(
    ls: DiffillServer, asked: EngineScoreRequest, token: CancelToken
) -> tuple[EngineScoreAnswer, str | None]:
    """The engine's answer, or an empty one and a sentence. Cancelled passes through."""
    try:
        return await asyncio.wrap_future(ls.session.engine.submit_score(asked, token)), None
    except Cancelled:
        raise
    except (EngineUnavailable, DiffillError) as error:
        reason = str(error)
    except Exception:
        # As in the pipeline: a bug of the model's must not end in a pop-up of the client's.
        logger.exception("scoring failed")
        reason = SENTENCES[Reason.ENGINE_FAILED]
    return EngineScoreAnswer((), asked.start), reason


async def _answer(
    ls: DiffillServer, document: Document, asked: EngineScoreRequest, token: CancelToken
) -> dict[str, Any]:
    refusal = ls.session.refusal(document.uri, automatic=False)
    reason: str | None
    if refusal is not None:
        answer, reason = EngineScoreAnswer((), asked.start), SENTENCES[refusal.reason]
    else:
        try:
            answer, reason = await ask(ls, asked, token)
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


def _read(ls: DiffillServer, params: Any) -> tuple[Document, EngineScoreRequest]:
    """The params, checked. Raises JsonRpcInvalidParams that names what is wrong."""
    if not isinstance(params, dict):
        raise JsonRpcInvalidParams("params must be an object with textDocument")
    item = params.get("textDocument")
    uri = item.get("uri") if isinstance(item, dict) else None
    document = ls.session.documents.get(uri) if isinstance(uri, str) else None
    if document is None:
        raise JsonRpcInvalidParams("textDocument.uri is not an open document; open it first")
    code_only = params.get("codeOnly", False)
    if not isinstance(code_only, bool):
        raise JsonRpcInvalidParams(f"codeOnly is {code_only!r}; give true or false")
    start, end = 0, len(document.data)
    if params.get("range") is not None:
        start, end = (_offset(ls, document, params["range"], key) for key in ("start", "end"))
        if start > end:
            raise JsonRpcInvalidParams("range.end lies before range.start")
    return document, EngineScoreRequest(
        document.data, start, end, document.grammar, MAX_TOKENS, code_only
    )


def _offset(ls: DiffillServer, document: Document, where: Any, key: str) -> int:
    try:
        position = types.Position(int(where[key]["line"]), int(where[key]["character"]))
    except (KeyError, TypeError, ValueError):
        raise JsonRpcInvalidParams(f"range.{key} is not a position") from None
    if not 0 <= position.line < document.lines.count or position.character < 0:
        raise JsonRpcInvalidParams(
            f"range.{key} is at line {position.line}, the document has {document.lines.count}"
        )
    return convert.offset_at(position, document.data, document.lines, ls.session.encoding)


def register(server: DiffillServer) -> None:
    server.feature(SCORE)(score)
