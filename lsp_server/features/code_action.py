"""`textDocument/codeAction`: generation without a plugin.

Offered: other texts for a selection (three strengths), all marked holes filled together, the body
that a comment asks for; and the quick fixes of `features.suspicious`. Nothing is generated before
an action is chosen: an editor that resolves actions lazily gets the edit then; any other gets the
command `diffill.perform`, if it can be asked to apply an edit (`features.perform`).

Invariants: to list actions asks no model, and only what is asked for is looked for; an action is
for one text of a document; nothing is offered where Diffill is off or the document is too large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from diffusion.errors import HoleError
from diffusion.text.line_tasks import comment_task
from diffusion.text.parts import MAX_PARTS
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.features import perform, suspicious
from lsp_server.features.perform import PERFORM

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

KIND = "refactor.rewrite.diffill"
STRENGTHS = (("light", 0.3), ("medium", 0.6), ("free", 1.0))
FILL, COMMENT = f"{KIND}.fill", f"{KIND}.comment"
KINDS = (*(f"{KIND}.{name}" for name, _ in STRENGTHS), FILL, COMMENT, suspicious.KIND)
MAX_SELECTED_BYTES = 4000
"""More than fits a canvas in any case; what fits is the model's to say."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An action that may be chosen: everything but what it writes, which a `fix` says, too."""

    kind: str
    title: str
    data: dict[str, Any]
    fix: suspicious.Fix | None = None


def code_action(
    ls: DiffillServer, asked: types.CodeActionParams
) -> list[types.CodeAction | types.Command]:
    session = ls.session
    document = session.documents.get(asked.text_document.uri)
    wanted = [kind for kind in KINDS if _is_wanted(kind, asked.context.only)]
    if document is None or not wanted or session.off(document, automatic=False) is not None:
        return []
    if len(document.data) > 1024 * session.settings.performance.max_file_kb:
        return []
    start, end = (
        convert.offset_at(p, document.data, document.lines, session.encoding)
        for p in (asked.range.start, asked.range.end)
    )
    offers = _offers(ls, document, min(start, end), max(start, end), wanted)
    actions = (_as_action(ls, document, offer) for offer in offers)
    return [action for action in actions if action is not None]


def _is_wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a client asks for actions of a kind: for it, one above it, or "", which is all."""
    return only is None or any(k in ("", kind) or kind.startswith(f"{k}.") for k in only)


def _offers(
    ls: DiffillServer, document: Document, start: int, end: int, wanted: Sequence[str]
) -> Iterator[Offer]:
    snapshot = ls.session.snapshot(document)

    def about(do: str, **more: Any) -> dict[str, Any]:
        which = {"uri": document.uri, "version": document.version, "digest": snapshot.digest}
        return {**which, "do": do, **more}

    if suspicious.KIND in wanted:
        for fix in suspicious.fixes(ls, document, start, end):
            data = about("replace", span=list(fix.span), text=fix.text)
            yield Offer(suspicious.KIND, fix.title, data, fix)
    selected = document.data[start:end].strip() and convert.is_known(document, start, end)
    if selected and end - start <= MAX_SELECTED_BYTES:
        for name, strength in STRENGTHS:
            if (kind := f"{KIND}.{name}") in wanted:
                data = about("rewrite", span=[start, end], strength=strength)
                yield Offer(kind, f"Rewrite selection ({name} {strength})", data)
    if FILL in wanted:
        holes = snapshot.markers
        inside = [hole for hole in holes if start <= hole[0] and hole[1] <= end]
        chosen = inside or holes
        if 0 < len(chosen) <= MAX_PARTS:
            title = f"Fill {len(chosen)} holes together" if len(chosen) > 1 else "Fill the hole"
            yield Offer(FILL, title, about("fill", holes=[list(hole) for hole in chosen]))
    if COMMENT in wanted and _asks_for_a_body(document, start):
        yield Offer(COMMENT, "Write the body from the comment", about("comment", at=start))


def _asks_for_a_body(document: Document, at: int) -> bool:
    try:
        comment_task(document.tree(), document.data, at)
    except HoleError:
        return False
    return True


def _as_action(
    ls: DiffillServer, document: Document, offer: Offer
) -> types.CodeAction | types.Command | None:
    """An offer as the client can take it; None where it can do nothing with it."""
    can = ls.client_capabilities
    text_document, workspace = can.text_document, can.workspace
    client = text_document.code_action if text_document else None
    applies = workspace is not None and bool(workspace.apply_edit)
    perform_it = types.Command(offer.title, PERFORM, arguments=[offer.data]) if applies else None
    if client is None or client.code_action_literal_support is None:
        return perform_it
    tags = client.tag_support.value_set if client.tag_support else ()
    llm = types.CodeActionTag.LlmGenerated
    action = types.CodeAction(offer.title, kind=offer.kind, tags=[llm] if llm in tags else None)
    if (fix := offer.fix) is not None:
        action.edit = perform.workspace_edit(ls, document, [(fix.span, fix.text)])
        action.diagnostics = [fix.mark]
        action.is_preferred = fix.preferred if client.is_preferred_support else None
        return action
    resolved = client.resolve_support.properties if client.resolve_support else ()
    if client.data_support and "edit" in resolved:
        action.data = offer.data
        return action
    action.command = perform_it
    return action if applies else None


def register(server: DiffillServer) -> None:
    options = types.CodeActionOptions(code_action_kinds=list(KINDS), resolve_provider=True)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(code_action)
    perform.register(server)
