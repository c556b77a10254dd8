"""`diffill/rewrite`: other texts for a selection, from a touch to written anew.

Params: `{textDocument: {uri}, range, strength?, alternatives?}`. Result: `{rewrites: [{text,
score, changed, parses}], range, masked, reason}`; `reason` is a sentence where there are none.
What is wrong with the params is answered as InvalidParams, naming it. Nothing is edited: the
client shows the rewrites and applies one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import DiffillError
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineRewriteAnswer, EngineRewriteRequest
from lsp_server.errors import EngineUnavailable
from lsp_server.protocol import REWRITE
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
MAX_ALTERNATIVES = 8
DEADLINE_MS = 10_000.0
"""Whoever asks for a rewrite waits for it, but not for ever."""


@dataclass(frozen=True, slots=True)
class _Asked:
    document: Document
    request: EngineRewriteRequest


def rewrite(ls: DiffillServer, params: Any) -> Generator[Any, Any, dict[str, Any]]:
    asked = _read(ls, params)
    token = ls.session.take_off(asked.document.uri, REWRITE)
    try:
        result: dict[str, Any] = yield _answer, (ls, asked, token), {}
    finally:
        ls.session.land(asked.document.uri, REWRITE, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


async def _answer(ls: DiffillServer, asked: _Asked, token: CancelToken) -> dict[str, Any]:
    answer, reason = await _ask(ls, asked, token)
    request, encoding = asked.request, ls.session.encoding
    where = convert.range_at(request.start, request.end, asked.document, encoding)
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
        "range": ls.protocol._converter.unstructure(where),
        "masked": answer.masked,
        "reason": None if answer.rewrites else reason,
    }


async def _ask(
    ls: DiffillServer, asked: _Asked, token: CancelToken
) -> tuple[EngineRewriteAnswer, str]:
    """The engine's answer, or an empty one and a sentence."""
    try:
        future = ls.session.engine.submit_rewrite(asked.request, token)
        answer = await asyncio.wrap_future(future)
    except Cancelled as cancelled:
        reason = SENTENCES[Reason(cancelled.reason)]
    except (EngineUnavailable, DiffillError) as error:
        reason = str(error)
    except Exception:
        # As in the pipeline: a bug of the model's must not end in a pop-up of the client's.
        logger.exception("a rewrite failed")
        reason = SENTENCES[Reason.ENGINE_FAILED]
    else:
        return answer, answer.reason or SENTENCES[Reason.NO_CANDIDATE]
    return EngineRewriteAnswer(()), reason


def _read(ls: DiffillServer, params: Any) -> _Asked:
    """The params, checked. Raises JsonRpcInvalidParams that names what is wrong."""
    if not isinstance(params, dict):
        raise JsonRpcInvalidParams("params must be an object with textDocument and range")
    document = ls.session.documents.get(_uri(params))
    if document is None:
        raise JsonRpcInvalidParams("textDocument.uri is not an open document; open it first")
    start, end = (_offset(ls, document, params, key) for key in ("start", "end"))
    if start > end:
        raise JsonRpcInvalidParams("range.end lies before range.start")
    strength = params.get("strength", 0.5)
    a_number = isinstance(strength, (int, float)) and not isinstance(strength, bool)
    if not a_number or not 0 < strength <= 1:
        raise JsonRpcInvalidParams(f"strength is {strength!r}; give a share above 0, at most 1")
    alternatives = params.get("alternatives", 3)
    if not isinstance(alternatives, int) or not 1 <= alternatives <= MAX_ALTERNATIVES:
        raise JsonRpcInvalidParams(
            f"alternatives is {alternatives!r}; give a number from 1 to {MAX_ALTERNATIVES}"
        )
    return _Asked(
        document,
        EngineRewriteRequest(
            document.data, start, end, document.grammar, float(strength), alternatives, DEADLINE_MS
        ),
    )


def _uri(params: dict[str, Any]) -> str:
    item = params.get("textDocument")
    uri = item.get("uri") if isinstance(item, dict) else None
    return uri if isinstance(uri, str) else ""


def _offset(ls: DiffillServer, document: Document, params: dict[str, Any], key: str) -> int:
    try:
        raw = params["range"][key]
        position = types.Position(int(raw["line"]), int(raw["character"]))
    except (KeyError, TypeError, ValueError):
        raise JsonRpcInvalidParams(f"range.{key} is not a position") from None
    if not 0 <= position.line < document.lines.count or position.character < 0:
        raise JsonRpcInvalidParams(
            f"range.{key} is at line {position.line}, the document has {document.lines.count}"
        )
    return convert.offset_at(position, document.data, document.lines, ls.session.encoding)


def register(server: DiffillServer) -> None:
    server.feature(REWRITE)(rewrite)
