"""What may be asked next: the line below, with the suggestion accepted or the line as it is.

The model's context of a line does not depend on what is typed on that line, so it can be encoded
before the line is there. What was answered without the model has not been encoded itself: then
this line comes first. Invariant: a prediction is a document that one acceptance and one Enter,
or one Enter alone, would make of this one; nothing is predicted where the cursor is not at the
end of its line.

Whoever has completions at keys of typing asks for the next line by typing, in haste, also where
this line was asked for by key; whoever has not asks by key again. The two have nothing of one
another's contexts (docs/decisions/0025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.exchange import Offer
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document, Edit, to_bytes
from lsp_server.engine.engine import EngineRequest


def next_requests(
    request: CompletionRequest,
    shown: Sequence[Suggestion],
    *,
    while_typing: bool,
    at_once: bool = False,
) -> tuple[EngineRequest, ...]:
    """The likeliest first; at most two, and this line if it was answered `at_once`.

    Nobody accepts the whole of a suggestion that has no end (`Suggestion.score`).

    `while_typing`: whether keys of typing ask, too.
    """
    data = request.document.data
    asked = EngineRequest(
        data, request.cursor, request.document.grammar,
        elsewhere=tuple(document.data for document in request.elsewhere),
        in_haste=while_typing,
    )  # fmt: skip
    found = [asked] if at_once else []
    _, line_end = request.document.line(request.cursor)
    if data[request.cursor : line_end].strip():
        return tuple(found)
    for suggestion in (one for one in shown[:1] if one.score > 0.0):
        text = to_bytes(suggestion.text)
        accepted = data[: suggestion.start] + text + data[suggestion.end :]
        found.append(_opened(replace(asked, text=accepted), suggestion.start + len(text)))
    typed = data[request.document.line(request.cursor)[0] : request.cursor]
    if typed.strip():
        found.append(_opened(asked, request.cursor))
    return tuple(found)


def next_completion(request: CompletionRequest, offer: Offer) -> CompletionRequest | None:
    """The likeliest request for which the model has to write: on the line below.

    Behind the suggestion, where all of it is shown, or behind the line as it is, where nothing is.
    None where one is shown that is not whole, or that nobody may follow with Enter, and for who
    asks by key.
    """
    document, at = request.document, request.cursor
    line_start, line_end = document.line(at)
    if not request.automatic or document.data[at:line_end].strip():
        return None
    if offer.shown:
        first = offer.shown[0].text
        whole = next((one for one in offer.whole if one.text == first), None)
        if whole is None or first.endswith(("\n", "\r")):
            return None
        text = to_bytes(first)
        document = document.apply([Edit(whole.start, whole.end, text)], document.version)
        at = whole.start + len(text)
    elif not document.data[line_start:at].strip():
        return None
    document, cursor = _with_line(document, at)
    return replace(request, document=document, cursor=cursor)


def _with_line(document: Document, at: int) -> tuple[Document, int]:
    opened = _opening(document.data, at)
    return document.apply([Edit(at, at, opened)], document.version), at + len(opened)


def _opened(asked: EngineRequest, at: int) -> EngineRequest:
    opened = _opening(asked.text, at)
    return replace(asked, text=asked.text[:at] + opened + asked.text[at:], cursor=at + len(opened))


def _opening(data: bytes, at: int) -> bytes:
    """What Enter puts at `at`: a line end, and the indentation of the line."""
    line = data[data.rfind(b"\n", 0, at) + 1 : at]
    indent = line[: len(line) - len(line.lstrip())]
    return (b"\r\n" if b"\r\n" in data else b"\n") + indent
