"""Reading the params of our own requests, and asking the engine for what they ask.

Params stay plain JSON, in which null is "not given": what is wrong with them is answered as
InvalidParams, naming it, and a `textDocument.version` that is not the document's as
ContentModified. What the engine fails at becomes a sentence, and so does why nothing is done in a
document, which the engine then never sees.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcInvalidParams

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import DiffillError
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.errors import EngineUnavailable
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
DEADLINE_MS = 10_000.0
"""Whoever asks for a rewrite or a fill waits for it, but not for ever."""
MAX_ALTERNATIVES = 8
MAX_RANGES = 200
"""In one list of a request; each is looked for on the event loop, in its line."""
Answer = TypeVar("Answer")


def document_of(ls: DiffillServer, params: Any) -> Document:
    """The open document that params are about, if it may be read."""
    document = open_document(ls, params)
    ignored = ls.session.ignored(document.uri)
    if ignored is not None:
        reason = Reason.SECRET_FILE if ignored.why == "secret" else Reason.IGNORED_FILE
        raise JsonRpcInvalidParams(f"{SENTENCES[reason]} ({ignored.pattern})")
    return document


def open_document(ls: DiffillServer, params: Any) -> Document:
    """The open document that params are about, in the version that they name."""
    if not isinstance(params, dict):
        raise JsonRpcInvalidParams("params must be an object with a textDocument")
    item = params.get("textDocument")
    uri = item.get("uri") if isinstance(item, dict) else None
    document = ls.session.documents.get(uri) if isinstance(uri, str) else None
    if document is None:
        raise JsonRpcInvalidParams("textDocument.uri is not an open document; open it first")
    version = item.get("version") if isinstance(item, dict) else None
    if version is not None and version != document.version:
        raise JsonRpcContentModified(
            f"the document has version {document.version}, not {version}; ask again"
        )
    return document


def offset_of(ls: DiffillServer, document: Document, raw: Any, name: str) -> int:
    """The byte offset of a position; `name` is what a message calls it."""
    said = raw if isinstance(raw, dict) else {}
    line, character = as_whole(said.get("line")), as_whole(said.get("character"))
    if type(line) is not int or type(character) is not int:  # true is an int, too
        raise JsonRpcInvalidParams(f"{name} is not a position")
    position = types.Position(line, character)
    if not 0 <= position.line < document.lines.count or position.character < 0:
        raise JsonRpcInvalidParams(
            f"{name} is at line {position.line}, the document has {document.lines.count}"
        )
    return convert.offset_at(position, document.data, document.lines, ls.session.encoding)


def span_of(ls: DiffillServer, document: Document, raw: Any, name: str) -> tuple[int, int]:
    """The byte range of a range."""
    ends = raw if isinstance(raw, dict) else {}
    start, end = (
        offset_of(ls, document, ends.get(key), f"{name}.{key}") for key in ("start", "end")
    )
    if start > end:
        raise JsonRpcInvalidParams(f"{name}.end lies before {name}.start")
    return start, end


def spans_of(
    ls: DiffillServer, document: Document, params: dict[str, Any], key: str
) -> tuple[tuple[int, int], ...]:
    """The byte ranges of a list of ranges; empty where there is none."""
    raw = params.get(key)
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise JsonRpcInvalidParams(f"{key} is not a list of ranges")
    if len(raw) > MAX_RANGES:
        raise JsonRpcInvalidParams(f"{key} has {len(raw)} ranges; give at most {MAX_RANGES}")
    return tuple(span_of(ls, document, item, f"{key}[{n}]") for n, item in enumerate(raw))


def given(params: dict[str, Any], key: str, default: Any) -> Any:
    """What params say, unchecked; null says nothing."""
    value = params.get(key)
    return default if value is None else value


def as_whole(value: Any) -> Any:
    """2 for 2.0, as Lua has one number type; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def count_of(params: dict[str, Any], key: str, default: int) -> int:
    """How many are wanted, 1 to MAX_ALTERNATIVES."""
    count = as_whole(given(params, key, default))
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MAX_ALTERNATIVES:
        raise JsonRpcInvalidParams(
            f"{key} is {count!r}; give a number from 1 to {MAX_ALTERNATIVES}"
        )
    return count


def share_of(params: dict[str, Any], key: str, default: float | None = None) -> float:
    """A share above 0, at most 1."""
    share = given(params, key, default)
    if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 < share <= 1:
        raise JsonRpcInvalidParams(f"{key} is {share!r}; give a share above 0, at most 1")
    return float(share)


@dataclass(frozen=True, slots=True)
class Answered(Generic[Answer]):
    """What the engine said, or None and why."""

    answer: Answer | None
    reason: str = ""


async def answered(
    ls: DiffillServer,
    document: Document,
    what: str,
    token: CancelToken,
    submit: Callable[[], Future[Answer]],
) -> Answered[Answer]:
    """The engine's answer, or a sentence. `what` names it in the log."""
    try:
        return await answered_unless_cancelled(ls, document, what, token, submit)
    except Cancelled as cancelled:
        return Answered(None, SENTENCES[Reason(cancelled.reason)])


async def answered_unless_cancelled(
    ls: DiffillServer,
    document: Document,
    what: str,
    token: CancelToken,
    submit: Callable[[], Future[Answer]],
) -> Answered[Answer]:
    """As `answered`, for those who tell a cancel apart. Raises Cancelled."""
    off = ls.session.off(document, automatic=False)
    if off is not None:
        return Answered(None, SENTENCES[off.reason])
    try:
        answer: Answer = await asyncio.wrap_future(submit())
    except Cancelled:
        raise
    except (EngineUnavailable, DiffillError) as error:
        reason = str(error)
    except Exception:
        # As in the pipeline: a bug of the model's must not end in a pop-up of the client's.
        logger.exception("%s failed", what)
        reason = SENTENCES[Reason.ENGINE_FAILED]
    else:
        token.raise_if_cancelled()  # too late for the engine to hear of it, not for the client
        off = ls.session.off(document, automatic=False)  # it may have been turned off meanwhile
        return Answered(answer) if off is None else Answered(None, SENTENCES[off.reason])
    return Answered(None, reason)


def range_json(ls: DiffillServer, document: Document, start: int, end: int) -> dict[str, Any]:
    """A byte range as JSON."""
    where = convert.range_at(start, end, document, ls.session.encoding)
    found: dict[str, Any] = ls.protocol._converter.unstructure(where)
    return found
