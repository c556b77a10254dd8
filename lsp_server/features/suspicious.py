"""Suspicious words as diagnostics, with quick fixes. Off unless `diagnostics.enable` is on.

A client that pulls (`textDocument/diagnostic`) is answered when the document has been left alone
for a moment; to one that does not, `publishDiagnostics` is sent then. Any request of a person's
takes the engine away (`Session.take_off`): a pull is then answered with ServerCancelled, which
asks the client to come again, and a publication is tried again later.

Invariants: what is shown is for the version of the document that it names, and what the model that
is served says of it; a quick fix is offered for that version only; nothing is scored in documents
that are left alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from diffusion.cancel import Cancelled, CancelToken
from diffusion.suspicion import Suspicion, suspicious
from diffusion.text import languages
from lsp_server import convert
from lsp_server.document import Document
from lsp_server.engine.engine import EngineScoreRequest
from lsp_server.features import score
from lsp_server.reasons import Reason
from lsp_server.session import BACKGROUND

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

METHOD = types.TEXT_DOCUMENT_DIAGNOSTIC
KIND = "quickfix.diffill"
CODE = "unlikely-token"
SOURCE = "diffill"
assert METHOD in BACKGROUND


def diagnostic(
    ls: DiffillServer, params: types.DocumentDiagnosticParams
) -> Generator[Any, Any, types.RelatedFullDocumentDiagnosticReport]:
    document = ls.session.documents.get(params.text_document.uri)
    if document is None or not wanted(ls, document):
        return types.RelatedFullDocumentDiagnosticReport([])
    token = ls.session.take_off(document.uri, METHOD)
    try:
        found: Sequence[Suspicion] = yield _pulled, (ls, document, token), {}
    finally:
        ls.session.land(document.uri, METHOD, token)
        token.cancel(Reason.CANCELLED)
    return types.RelatedFullDocumentDiagnosticReport(_diagnostics(ls, document, found))


async def _pulled(
    ls: DiffillServer, document: Document, token: CancelToken
) -> Sequence[Suspicion]:
    try:
        return await _find(ls, document, token)
    except Cancelled as cancelled:
        again = cancelled.reason != Reason.STALE  # after an edit the client comes by itself
        raise JsonRpcException(
            "something more urgent came",
            types.LSPErrorCodes.ServerCancelled,
            {"retriggerRequest": again},
        ) from None


async def _find(
    ls: DiffillServer, document: Document, token: CancelToken
) -> tuple[Suspicion, ...]:
    """The suspicious words of a document, once nobody has wanted anything for a while."""
    session = ls.session
    known = session.suspicions.get(document.uri)
    if known is not None and known[0] is document:
        return known[1]
    await session.idle()
    token.raise_if_cancelled()
    asked = EngineScoreRequest(
        document.data, 0, len(document.data), document.grammar, score.MAX_TOKENS, code_only=True
    )
    answer, failure = await score.ask(ls, document, asked, token)
    token.raise_if_cancelled()
    settings = session.settings.diagnostics
    found = tuple(suspicious(answer.words, settings.threshold, settings.max_per_file))
    if failure is None:  # else the next one to ask may have more luck
        session.suspicions[document.uri] = (document, found)
    return found


def wanted(ls: DiffillServer, document: Document) -> bool:
    """Whether words are scored in a document without anybody asking for it."""
    session = ls.session
    return (
        session.settings.diagnostics.enable
        and document.language != languages.TEXT
        and len(document.data) <= 1024 * session.settings.performance.max_file_kb
        and session.off(document, automatic=True) is None
    )


def _diagnostics(
    ls: DiffillServer, document: Document, found: Sequence[Suspicion]
) -> list[types.Diagnostic]:
    return [
        types.Diagnostic(
            range=convert.range_at(s.word.start, s.word.end, document, ls.session.encoding),
            message=f"unlikely here (p {s.word.p:.2g}); {s.instead[0].text!r} would be likelier "
            f"(p {s.instead[0].p:.2g})",
            severity=types.DiagnosticSeverity.Hint,
            code=CODE,
            source=SOURCE,
            data=score.numbers(s.word),
        )
        for s in found
    ]


# For clients that do not pull


def document_changed(ls: DiffillServer, uri: str) -> None:
    """A document was opened, changed or closed: publish later what is found then."""
    session = ls.session
    task = session.publishing.pop(uri, None)
    if task is not None:
        task.cancel()
    if pulls(ls.client_capabilities):
        return
    document = session.documents.get(uri)
    if document is None or not wanted(ls, document):
        if task is not None:  # something may be shown there
            _publish(ls, uri, None, [])
        return
    session.publishing[uri] = asyncio.ensure_future(_published(ls, document))


async def _published(ls: DiffillServer, document: Document) -> None:
    while ls.session.documents.get(document.uri) is document:
        token = ls.session.take_off(document.uri, METHOD)
        try:
            found = await _find(ls, document, token)
        except Cancelled:
            continue
        finally:
            ls.session.land(document.uri, METHOD, token)
            token.cancel(Reason.CANCELLED)
        _publish(ls, document.uri, document.version, _diagnostics(ls, document, found))
        return


def _publish(
    ls: DiffillServer, uri: str, version: int | None, items: list[types.Diagnostic]
) -> None:
    ls.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, items, version))


def look_again(ls: DiffillServer) -> None:
    """What is wanted may have changed: show it, or take it away."""
    workspace = ls.client_capabilities.workspace
    if ls.protocol.is_shut_down:
        return
    if not pulls(ls.client_capabilities):
        for uri in list(ls.session.documents):
            document_changed(ls, uri)
    elif workspace is not None and workspace.diagnostics and workspace.diagnostics.refresh_support:
        ls.workspace_diagnostic_refresh(None)  # nothing is done with the answer


def pulls(client: types.ClientCapabilities) -> bool:
    """Whether a client asks for diagnostics itself."""
    return client.text_document is not None and client.text_document.diagnostic is not None


# Quick fixes


@dataclass(frozen=True, slots=True)
class Fix:
    """Another text for a suspicious word. `preferred`: it is the likeliest."""

    title: str
    span: tuple[int, int]
    text: str
    mark: types.Diagnostic
    preferred: bool


def fixes(ls: DiffillServer, document: Document, start: int, end: int) -> Iterator[Fix]:
    """Replacements for the suspicious words that touch bytes [start, end], the likeliest first.

    `features.code_action` offers them.
    """
    known = ls.session.suspicions.get(document.uri)
    if known is None or known[0] is not document or not wanted(ls, document):
        return
    for found in known[1]:
        word = found.word
        if word.start > end or start > word.end:
            continue
        [mark] = _diagnostics(ls, document, [found])
        for place, other in enumerate(found.instead):
            title = f"Diffill: replace {word.text!r} by {other.text!r} ({other.p:.0%})"
            yield Fix(title, (word.start, word.end), other.text, mark, place == 0)


def register(server: DiffillServer) -> None:
    server.feature(METHOD, types.DiagnosticOptions(False, False, identifier=SOURCE))(diagnostic)
