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
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import to_bytes
from lsp_server.engine.engine import EngineRequest


def next_requests(
    request: CompletionRequest,
    shown: Sequence[Suggestion],
    *,
    while_typing: bool,
    at_once: bool = False,
) -> tuple[EngineRequest, ...]:
    """The likeliest first; at most two, and this line if it was answered `at_once`.

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
    for suggestion in shown[:1]:
        text = to_bytes(suggestion.text)
        accepted = data[: suggestion.start] + text + data[suggestion.end :]
        found.append(_opened(replace(asked, text=accepted), suggestion.start + len(text)))
    typed = data[request.document.line(request.cursor)[0] : request.cursor]
    if typed.strip():
        found.append(_opened(asked, request.cursor))
    return tuple(found)


def _opened(asked: EngineRequest, at: int) -> EngineRequest:
    """`asked` with a line opened at `at`, indented like the line before it."""
    line = asked.text[asked.text.rfind(b"\n", 0, at) + 1 : at]
    indent = line[: len(line) - len(line.lstrip())]
    end = b"\r\n" if b"\r\n" in asked.text else b"\n"
    text = asked.text[:at] + end + indent + asked.text[at:]
    return replace(asked, text=text, cursor=at + len(end) + len(indent))
