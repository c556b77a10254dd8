"""`codeAction/resolve` and the command `diffill.perform`: what a chosen code action writes.

An editor that resolves actions lazily gets the edit; for any other the server asks it to apply
the edit (`workspace/applyEdit`), and tells the user if it did not.

Invariants: an action's `data` comes from a client, so what is wrong with it is answered as
InvalidParams; it is for one text of a document, and another one, also of the same version, is
answered with ContentModified; the command is answered without waiting for the client.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException, JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from diffusion.errors import HoleError
from diffusion.text.parts import Span, split
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineRewriteRequest
from lsp_server.engine.tasks import EngineFillRequest
from lsp_server.features import asking, params
from lsp_server.features.fill import quotable
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

logger = logging.getLogger(__name__)
PERFORM = "diffill.perform"
_REQUEST_FAILED = -32803


@dataclass(frozen=True, slots=True)
class Replacement:
    """A text for a range that is known already."""

    span: Span
    text: str


Task = EngineRewriteRequest | EngineFillRequest | Replacement


@dataclass(frozen=True, slots=True)
class _Chosen:
    """An action that was chosen: for which text, what to do, and what tells it to stop."""

    document: Document
    task: Task
    flight: str
    token: CancelToken


def resolve(ls: DiffillServer, action: types.CodeAction) -> Generator[Any, Any, types.CodeAction]:
    if isinstance(action.data, dict) and action.edit is None:
        chosen = _begin(ls, action.data)
        try:
            action.edit = yield _edit, (ls, chosen), {}
        finally:
            _end(ls, chosen)
    return action


def perform(ls: Any, data: Any = None) -> Generator[Any, Any, None]:
    """Do what an action says and ask the client to apply it; why not is shown to the user.

    pygls reads the annotations of commands at run time, where the server's class is not known.
    """
    if not isinstance(data, dict):
        raise JsonRpcInvalidParams(f"{PERFORM} takes the argument of a code action")
    chosen = _begin(ls, data)
    try:
        edit = yield _edit, (ls, chosen), {}
    except JsonRpcException as error:
        if error.code != _REQUEST_FAILED:
            raise
        said = types.ShowMessageParams(types.MessageType.Info, f"Diffill: {error.message}")
        ls.window_show_message(said)
        return
    finally:
        _end(ls, chosen)
    asked = types.ApplyWorkspaceEditParams(edit, label="Diffill")
    applied = asking.send(ls, types.WORKSPACE_APPLY_EDIT, asked)
    applied.add_done_callback(partial(_tell_if_not_applied, ls))


def _tell_if_not_applied(ls: DiffillServer, asked: Future[Any]) -> None:
    """Show why, where a client says that it did not apply an edit."""
    if asked.cancelled() or ls.protocol.is_shut_down:
        return
    error = asked.exception()
    if isinstance(error, JsonRpcException):
        why = error.message
    elif isinstance(said := asked.result(), dict) and said.get("applied") is False:
        why = str(said.get("failureReason") or "it gave no reason")
    else:
        return
    text = f"Diffill: the editor did not apply the edit ({why}); choose the action again"
    ls.window_show_message(types.ShowMessageParams(types.MessageType.Warning, text))


def _begin(ls: DiffillServer, data: dict[str, Any]) -> _Chosen:
    about = {"uri": data.get("uri"), "version": data.get("version")}
    document = params.document_of(ls, {"textDocument": about})
    digest = data.get("digest")
    if not isinstance(digest, str):
        raise JsonRpcInvalidParams(f"digest is {digest!r}; send an action's data as it is")
    if digest != ls.session.snapshot(document).digest:
        raise JsonRpcContentModified("the document has another text now; ask again")
    task = _read(ls, document, data)
    # An editor may resolve all actions at once, and then none takes another's place.
    flight = f"{PERFORM} {json.dumps(data, sort_keys=True)}"
    return _Chosen(document, task, flight, ls.session.take_off(document.uri, flight))


def _end(ls: DiffillServer, chosen: _Chosen) -> None:
    ls.session.land(chosen.document.uri, chosen.flight, chosen.token)
    chosen.token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work


def _read(ls: DiffillServer, document: Document, data: dict[str, Any]) -> Task:
    """What an action's data ask for. Raises JsonRpcInvalidParams that names what is wrong."""
    text, size, do = document.data, len(document.data), data.get("do")
    if do == "replace":
        new = data.get("text")
        if not isinstance(new, str):
            raise JsonRpcInvalidParams(f"text is {new!r}; give a string")
        return Replacement(_span(data.get("span"), "span", size), new)
    if do == "rewrite":
        start, end = _span(data.get("span"), "span", size)
        return EngineRewriteRequest(
            text, start, end, document.grammar, params.share_of(data, "strength"),
            deadline_ms=params.DEADLINE_MS,
        )  # fmt: skip
    if do == "comment":
        at, _ = _span([data.get("at"), size], "at", size)
        return EngineFillRequest(
            text, document.grammar, "comment", at=at, deadline_ms=params.DEADLINE_MS,
            **quotable(ls, document),
        )  # fmt: skip
    if do != "fill":
        raise JsonRpcInvalidParams(f"do is {do!r}; give rewrite, fill, comment or replace")
    raw = data.get("holes")
    if not isinstance(raw, list):
        raise JsonRpcInvalidParams("holes is not a list of pairs of offsets")
    holes = tuple(_span(hole, f"holes[{n}]", size) for n, hole in enumerate(raw))
    try:
        split(text, holes)
    except HoleError as error:
        raise JsonRpcInvalidParams(str(error)) from error
    return EngineFillRequest(
        text, document.grammar, holes=holes, deadline_ms=params.DEADLINE_MS,
        **quotable(ls, document),
    )  # fmt: skip


def _span(raw: Any, name: str, size: int) -> Span:
    """A pair of byte offsets in a document of `size` bytes."""
    if isinstance(raw, list) and [type(offset) for offset in raw] == [int, int]:
        start, end = raw
        if 0 <= start <= end <= size:
            return start, end
    raise JsonRpcInvalidParams(
        f"{name} is no place in the document of {size} bytes; send an action's data as it is"
    )


async def _edit(ls: DiffillServer, chosen: _Chosen) -> types.WorkspaceEdit:
    """What an action writes. Raises ContentModified, or RequestFailed with the reason."""
    document = chosen.document
    edits, reason = await _written(ls, chosen)
    current = ls.session.documents.get(document.uri)
    if current is None or (current.version, current.data) != (document.version, document.data):
        raise JsonRpcContentModified("the document changed; ask again")
    if not edits:
        raise JsonRpcException(reason or SENTENCES[Reason.NO_CANDIDATE], code=_REQUEST_FAILED)
    return workspace_edit(ls, document, edits)


async def _written(
    ls: DiffillServer, chosen: _Chosen
) -> tuple[list[tuple[Span, str]], str]:
    """What to write where, or why nothing."""
    document, task, token = chosen.document, chosen.task, chosen.token
    if isinstance(task, Replacement):
        off = ls.session.off(document, automatic=False)
        return ([], SENTENCES[off.reason]) if off is not None else ([(task.span, task.text)], "")
    if isinstance(task, EngineRewriteRequest):
        rewritten = await params.answered(
            ls, document, "a rewrite", token, lambda: ls.session.engine.submit_rewrite(task, token)
        )
        if rewritten.answer is None:
            return [], rewritten.reason
        span = (task.start, task.end)
        best = [(span, found.text) for found in rewritten.answer.rewrites[:1]]
        return best, rewritten.answer.reason or ""
    filled = await params.answered(
        ls, document, "a fill", token, lambda: ls.session.engine.submit_fill(task, token)
    )
    if filled.answer is None:
        return [], filled.reason
    texts = [found.texts for found in filled.answer.fills[:1]]
    edits = [pair for one in texts for pair in zip(filled.answer.holes, one, strict=True)]
    return edits, filled.answer.reason or ""


def workspace_edit(
    ls: DiffillServer, document: Document, edits: list[tuple[Span, str]]
) -> types.WorkspaceEdit:
    """Edits of one document, for its version where the client can be told of that."""
    changes = [
        types.TextEdit(convert.range_at(start, end, document, ls.session.encoding), text)
        for (start, end), text in edits
    ]
    workspace = ls.client_capabilities.workspace
    client = workspace.workspace_edit if workspace else None
    if client is None or not client.document_changes:
        return types.WorkspaceEdit(changes={document.uri: changes})
    item = types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(item, changes)])


def register(server: DiffillServer) -> None:
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)
    server.command(PERFORM)(perform)
