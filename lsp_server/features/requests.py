"""The common path of inlineCompletion and completion: snapshot, ask, compare, trace.

`begin` runs when the message arrives, `answer` later, when the loop gets to it: over TCP a burst
of changes may lie in between. Invariants: the answer is for the text the client had when it
asked, or empty; every request leaves a trace that is ended exactly once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from lsprotocol import types

from diffusion.cancel import CancelToken
from lsp_server import convert
from lsp_server.completion import extent, trigger
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.pipeline import complete
from lsp_server.completion.trigger import CompletionRequest, Refusal
from lsp_server.document import Document, Edit, to_bytes
from lsp_server.observe.trace import Trace
from lsp_server.reasons import Reason
from lsp_server.session import Session

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Asked:
    """A request as it arrived."""

    method: str
    uri: str
    trace: Trace
    cancel: CancelToken
    shown: Document | None
    """The client's text, None where the document is not open."""
    request: CompletionRequest | None = None
    """What is asked of the pipeline; its document has a selected pop-up entry taken in."""


def begin(
    session: Session,
    method: str,
    uri: str,
    position: types.Position,
    *,
    automatic: bool,
    sure: bool = False,
    selected: types.SelectedCompletionInfo | None = None,
) -> Asked:
    """Take the snapshot; an earlier request for the same document and method is stopped.

    `sure`: see `CompletionRequest`.
    """
    document = session.documents.get(uri)
    trace = session.traces.add(
        Trace(method, uri, None, position.line, position.character, automatic)
    )
    asked = Asked(method, uri, trace, session.take_off(uri, method), document)
    if document is None:
        trace.nothing(Reason.NOT_OPEN)
        return asked
    trace.version = document.version
    refusal = session.refusal(uri, automatic=automatic)
    if position.line >= document.lines.count:
        outside = Refusal(Reason.CURSOR_OUTSIDE, f"the document has {document.lines.count} lines")
        said = refusal or outside  # of a document that is out of sync the client may know more
        trace.nothing(said.reason, said.note)
        return asked
    cursor = convert.offset_at(position, document.data, document.lines, session.encoding)
    if selected is not None and ("\n" in selected.text or "\r" in selected.text):
        trace.nothing(Reason.NOT_EXPRESSIBLE, "the selected entry has several lines")
        return asked
    if selected is not None and not convert.is_known(document, *document.line(cursor)):
        trace.nothing(Reason.NOT_EXPRESSIBLE, "the line holds bytes that are no UTF-8")
        return asked
    if selected is not None:
        edit = _selection(selected, document, cursor, session.encoding)
        document = document.apply([edit], document.version)
        cursor = edit.start + len(edit.data)
    alternatives = session.settings.inline.alternatives
    others = session.others(document) if session.settings.context.open_files else ()
    around = None if refusal is not None else session.repository(document)
    asked.request = CompletionRequest(
        document, cursor, automatic, alternatives, others, around, refusal, sure
    )
    return asked


async def answer(session: Session, asked: Asked) -> tuple[Suggestion, ...]:
    """The suggestions for a request; none when the text has changed since it was made.

    What is shown is what the settings want at the end, whatever they were when it was asked for.
    """
    if asked.request is None:
        return ()
    settings = session.settings
    try:
        suggestions = await complete(
            asked.request,
            settings=settings,
            engine=session.engine,
            cache=session.cache,
            cancel=asked.cancel,
            trace=asked.trace,
            pace=session.pace,
            foresight=session.foresight,
        )
    except Exception as error:
        # The other broad catch: a mistake of ours must not become a pop-up at every keystroke.
        logger.exception("a request failed")
        asked.trace.nothing(Reason.INTERNAL, type(error).__name__)
        return ()
    if asked.cancel.is_cancelled:
        # Too late for the model to hear of it, not too late for the client.
        asked.trace.nothing(Reason(asked.cancel.reason))
        return ()
    if (off := session.off(asked.request.document, automatic=asked.trace.automatic)) is not None:
        asked.trace.nothing(off.reason, off.note)  # turned off, or snoozed, while the model worked
        return ()
    if session.settings is not settings:
        suggestions = _still_wanted(session, asked.request, suggestions, asked.trace)
    asked.trace.end(len(suggestions))
    return suggestions


def end(session: Session, asked: Asked) -> None:
    """Close the books on a request, also one that was cancelled before it began."""
    session.land(asked.uri, asked.method, asked.cancel)
    asked.cancel.cancel(Reason.CANCELLED)  # for the engine, if it is still at work
    trace = asked.trace
    if not trace.shown:
        trace.nothing(Reason(asked.cancel.reason))
        trace.end(0)
    logger.info("%s", trace.summary())


def _still_wanted(
    session: Session,
    request: CompletionRequest,
    suggestions: tuple[Suggestion, ...],
    trace: Trace,
) -> tuple[Suggestion, ...]:
    """What is left of suggestions under settings that came meanwhile."""
    if (refusal := trigger.decide(request, session.settings)) is not None:
        trace.nothing(refusal.reason, refusal.note)
        return ()
    left = extent.choose(suggestions, request, session.settings).shown
    if suggestions and not left:
        trace.nothing(Reason.ALL_FILTERED, "other settings came meanwhile")
    return left


def _selection(
    selected: types.SelectedCompletionInfo, document: Document, cursor: int, encoding: str
) -> Edit:
    """What accepting the selected pop-up entry would do, as an edit on the cursor's line."""
    line_start, line_end = document.line(cursor)
    start = convert.offset_at(selected.range.start, document.data, document.lines, encoding)
    end = convert.offset_at(selected.range.end, document.data, document.lines, encoding)
    if not line_start <= start <= cursor <= end <= line_end:
        start = end = cursor  # no client selects elsewhere; then the entry says nothing to us
        return Edit(start, end, b"")
    return Edit(start, end, to_bytes(selected.text))
