"""`diffill/fill`, `diffill/bridge`, `diffill/fromComment`: several holes, or lines, at once.

Params of `fill`: `{textDocument, holes?, marker?, pins?, n?}`; without `holes` every `marker`
(`___`) in the document is one. Of the others: `{textDocument, position, n?}`. Result: `{fills:
[{edits, texts, score, parses}], ranges, reason}`: the edits of one fill belong together, and
`reason` is a sentence where there is none. Nothing is edited.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypedDict

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from diffusion.errors import HoleError
from diffusion.text.parts import MARKER, find_markers, split
from lsp_server.document import Document
from lsp_server.engine.tasks import EngineFillAnswer, EngineFillRequest, FillTask
from lsp_server.features import params, partial
from lsp_server.lenient import is_text
from lsp_server.protocol import BRIDGE, FILL, FROM_COMMENT
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex
    from lsp_server.server import DiffillServer


class Quotable(TypedDict):
    elsewhere: tuple[bytes, ...]
    repository: LineIndex | None


def fill(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    document = params.document_of(ls, raw)
    holes = params.spans_of(ls, document, raw, "holes")
    pins = params.spans_of(ls, document, raw, "pins")
    marker = params.given(raw, "marker", MARKER)
    if not is_text(marker):
        raise JsonRpcInvalidParams(f"marker is {marker!r}; give a string of whole characters")
    try:
        if raw.get("holes") is None:
            holes = tuple(find_markers(document.data, marker))
            if not holes:
                raise HoleError(f"no {marker} stands in the document", fix="mark the holes by it")
        split(document.data, holes, pins)
    except HoleError as error:
        raise JsonRpcInvalidParams(str(error)) from error
    request = EngineFillRequest(
        document.data,
        document.grammar,
        holes=holes,
        pins=pins,
        alternatives=params.count_of(raw, "n", 1),
        deadline_ms=params.DEADLINE_MS,
        **quotable(ls, document),
    )
    return (yield from _asked(ls, document, FILL, request, raw))


def bridge(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    return (yield from _lines(ls, raw, BRIDGE, "bridge"))


def from_comment(ls: DiffillServer, raw: Any) -> Generator[Any, Any, dict[str, Any]]:
    return (yield from _lines(ls, raw, FROM_COMMENT, "comment"))


def _lines(
    ls: DiffillServer, raw: Any, method: str, task: FillTask
) -> Generator[Any, Any, dict[str, Any]]:
    document = params.document_of(ls, raw)
    request = EngineFillRequest(
        document.data,
        document.grammar,
        task,
        at=params.offset_of(ls, document, raw.get("position"), "position"),
        alternatives=params.count_of(raw, "n", 1),
        deadline_ms=params.DEADLINE_MS,
        **quotable(ls, document),
    )
    return (yield from _asked(ls, document, method, request, raw))


def quotable(ls: DiffillServer, document: Document) -> Quotable:
    """What else may be quoted, as for a completion."""
    session = ls.session
    opened = session.others(document) if session.settings.context.open_files else ()
    return {
        "elsewhere": tuple(other.data for other in opened),
        "repository": session.repository(document),
    }


def _asked(
    ls: DiffillServer,
    document: Document,
    method: str,
    request: EngineFillRequest,
    raw: dict[str, Any],
) -> Generator[Any, Any, dict[str, Any]]:
    partial_token = partial.token_of(raw)
    token = ls.session.take_off(document.uri, method)
    asked = (ls, document, request, token, partial_token)
    try:
        result: dict[str, Any] = yield _answer, asked, {}
    finally:
        ls.session.land(document.uri, method, token)
        token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    return result


async def _answer(
    ls: DiffillServer,
    document: Document,
    request: EngineFillRequest,
    token: CancelToken,
    partial_token: types.ProgressToken | None,
) -> dict[str, Any]:
    drafts = partial.drafts_of(ls, document, partial_token, token)
    told = await params.answered(
        ls, document, "a fill", token, lambda: ls.session.engine.submit_fill(request, token, drafts)
    )
    answer = told.answer or EngineFillAnswer((), request.holes)
    reason = told.reason or answer.reason or SENTENCES[Reason.NO_CANDIDATE]
    ranges = [params.range_json(ls, document, start, end) for start, end in answer.holes]
    return {
        "fills": [
            {
                "edits": [
                    {"range": where, "newText": text}
                    for where, text in zip(ranges, found.texts, strict=True)
                ],
                "texts": list(found.texts),
                "score": round(found.score, 4),
                "parses": found.parses,
            }
            for found in answer.fills
        ],
        "ranges": ranges,
        "reason": answer.reason if answer.fills else reason,
    }


def register(server: DiffillServer) -> None:
    server.feature(FILL)(fill)
    server.feature(BRIDGE)(bridge)
    server.feature(FROM_COMMENT)(from_comment)
