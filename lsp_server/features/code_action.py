"""`textDocument/codeAction`, `codeAction/resolve` and a command: generation without a plugin.

Offered: other texts for a selection (three strengths), all marked holes filled together, the body
that a comment asks for; and the quick fixes of `features.suspicious`. Nothing is generated before
an action is chosen: an editor that resolves actions lazily gets the edit then; any other gets the
command `diffill.perform`, after which the server asks it to apply the edit.

Invariants: to list actions asks no model; an action is for one version of a document, and another
version is answered with ContentModified; nothing is offered where Diffill is off.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcContentModified, JsonRpcException, JsonRpcInvalidParams

from diffusion.cancel import CancelToken
from diffusion.errors import HoleError
from diffusion.text.line_tasks import comment_task
from diffusion.text.parts import MAX_PARTS, find_markers
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineRewriteRequest
from lsp_server.engine.tasks import EngineFillRequest
from lsp_server.features import params, suspicious
from lsp_server.reasons import SENTENCES, Reason

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

PERFORM = "diffill.perform"
KIND = "refactor.rewrite.diffill"
STRENGTHS = (("light", 0.3), ("medium", 0.6), ("free", 1.0))
MAX_SELECTED_BYTES = 4000
"""More than fits a canvas in any case; what fits is the model's to say."""
_REQUEST_FAILED = -32803


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that may be chosen: everything but what it writes."""

    kind: str
    title: str
    data: dict[str, Any]


def code_action(
    ls: DiffillServer, asked: types.CodeActionParams
) -> list[types.CodeAction | types.Command]:
    document = ls.session.documents.get(asked.text_document.uri)
    if document is None or ls.session.off(document, automatic=False) is not None:
        return []
    start, end = (
        convert.offset_at(p, document.data, document.lines, ls.session.encoding)
        for p in (asked.range.start, asked.range.end)
    )
    only = asked.context.only
    fixes: list[types.CodeAction] = []
    if _is_wanted(suspicious.KIND, only):
        fixes = suspicious.quick_fixes(ls, document.uri, asked.range)
    offered = [
        _as_action(ls, offer)
        for offer in _offers(document, min(start, end), max(start, end))
        if _is_wanted(offer.kind, only)
    ]
    return [*fixes, *offered]


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a client asks for actions of a kind: for it, one above it, or "", which is all."""
    return only is None or any(k in ("", kind) or kind.startswith(f"{k}.") for k in only)


def _offers(document: Document, start: int, end: int) -> Iterator[Offer]:
    about: dict[str, Any] = {"uri": document.uri, "version": document.version}
    if document.data[start:end].strip() and end - start <= MAX_SELECTED_BYTES:
        for name, strength in STRENGTHS:
            data = {**about, "do": "rewrite", "span": [start, end], "strength": strength}
            yield Offer(f"{KIND}.{name}", f"Rewrite selection ({name} {strength})", data)
    holes = find_markers(document.data)
    inside = [hole for hole in holes if start <= hole[0] and hole[1] <= end]
    chosen = inside or holes
    if 0 < len(chosen) <= MAX_PARTS:
        title = f"Fill {len(chosen)} holes together" if len(chosen) > 1 else "Fill the hole"
        yield Offer(f"{KIND}.fill", title, {**about, "do": "fill", "holes": chosen})
    try:
        comment_task(document.tree(), document.data, start)
    except HoleError:
        return
    data = {**about, "do": "comment", "at": start}
    yield Offer(f"{KIND}.comment", "Write the body from the comment", data)


def _as_action(ls: DiffillServer, offer: Offer) -> types.CodeAction | types.Command:
    text_document = ls.client_capabilities.text_document
    client = text_document.code_action if text_document else None
    perform = types.Command(offer.title, PERFORM, arguments=[offer.data])
    if client is None or client.code_action_literal_support is None:
        return perform
    lazy = client.data_support and client.resolve_support is not None
    if lazy and client.resolve_support is not None:
        lazy = "edit" in client.resolve_support.properties
    tags = client.tag_support.value_set if client.tag_support else ()
    llm = types.CodeActionTag.LlmGenerated
    return types.CodeAction(
        offer.title,
        kind=offer.kind,
        command=None if lazy else perform,
        data=offer.data if lazy else None,
        tags=[llm] if llm in tags else None,
    )


def resolve(ls: DiffillServer, action: types.CodeAction) -> Generator[Any, Any, types.CodeAction]:
    data = action.data
    if isinstance(data, dict) and action.edit is None:
        document, token = _begin(ls, data)
        try:
            action.edit = yield _edit, (ls, document, data, token), {}
        finally:
            _end(ls, document, data, token)
    return action


def perform(ls: Any, data: Any = None) -> Generator[Any, Any, None]:
    """Do what an action says and ask the client to apply it; why not is shown to the user.

    pygls reads the annotations of commands at run time, where the server's class is not known.
    """
    if not isinstance(data, dict):
        raise JsonRpcInvalidParams(f"{PERFORM} takes the argument of a code action")
    document, token = _begin(ls, data)
    try:
        edit = yield _edit, (ls, document, data, token), {}
    except JsonRpcException as error:
        if error.code != _REQUEST_FAILED:
            raise
        said = types.ShowMessageParams(types.MessageType.Info, f"Diffill: {error.message}")
        ls.window_show_message(said)
        return
    finally:
        _end(ls, document, data, token)
    ls.workspace_apply_edit(types.ApplyWorkspaceEditParams(edit, label="Diffill"))


def _begin(ls: DiffillServer, data: dict[str, Any]) -> tuple[Document, CancelToken]:
    about = {"uri": data.get("uri"), "version": data.get("version")}
    document = params.document_of(ls, {"textDocument": about})
    return document, ls.session.take_off(document.uri, _flight(data))


def _end(
    ls: DiffillServer, document: Document, data: dict[str, Any], token: CancelToken
) -> None:
    ls.session.land(document.uri, _flight(data), token)
    token.cancel(Reason.CANCELLED)  # for the engine, if it is still at work


def _flight(data: dict[str, Any]) -> str:
    """An editor may resolve all actions at once, and then none takes another's place."""
    return f"{PERFORM} {json.dumps(data, sort_keys=True)}"


async def _edit(
    ls: DiffillServer, document: Document, data: dict[str, Any], token: CancelToken
) -> types.WorkspaceEdit:
    """What an action writes. Raises ContentModified, or RequestFailed with the reason."""
    edits: list[tuple[tuple[int, int], str]] = []
    if data.get("do") == "rewrite":
        start, end = data["span"]
        asked = EngineRewriteRequest(
            document.data, start, end, document.grammar, data["strength"],
            deadline_ms=params.DEADLINE_MS,
        )  # fmt: skip
        rewritten = await params.answered(
            ls, document, "a rewrite", lambda: ls.session.engine.submit_rewrite(asked, token)
        )
        reason = rewritten.reason
        if rewritten.answer is not None:
            reason = rewritten.answer.reason or ""
            edits = [((start, end), found.text) for found in rewritten.answer.rewrites[:1]]
    else:
        request = EngineFillRequest(
            document.data,
            document.grammar,
            "comment" if data.get("do") == "comment" else "holes",
            holes=tuple((start, end) for start, end in data.get("holes", ())),
            at=int(data.get("at", 0)),
            deadline_ms=params.DEADLINE_MS,
        )
        filled = await params.answered(
            ls, document, "a fill", lambda: ls.session.engine.submit_fill(request, token)
        )
        reason = filled.reason
        if filled.answer is not None:
            reason = filled.answer.reason or ""
            for found in filled.answer.fills[:1]:
                edits = list(zip(filled.answer.holes, found.texts, strict=True))
    current = ls.session.documents.get(document.uri)
    if current is None or current.version != document.version:
        raise JsonRpcContentModified("the document changed; ask again")
    if not edits:
        raise JsonRpcException(reason or SENTENCES[Reason.NO_CANDIDATE], code=_REQUEST_FAILED)
    return workspace_edit(ls, document, edits)


def workspace_edit(
    ls: DiffillServer, document: Document, edits: list[tuple[tuple[int, int], str]]
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
    kinds = [f"{KIND}.{name}" for name in (*(name for name, _ in STRENGTHS), "fill", "comment")]
    kinds.append(suspicious.KIND)
    options = types.CodeActionOptions(code_action_kinds=kinds, resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    server.feature(types.CODE_ACTION_RESOLVE)(resolve)
    server.command(PERFORM)(perform)
