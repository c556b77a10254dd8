"""What is offered of an answer, once the filters have changed some of it."""

from __future__ import annotations

from lsp_server.completion import exchange
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.engine.engine import EngineAnswer, EngineCandidate
from lsp_server.observe.trace import Trace
from lsp_server.settings import Settings


def test_beside_sound_texts_one_that_a_filter_has_broken_is_not_offered() -> None:
    document = Document.open("file:///a.py", "python", 1, "y = 1\n")
    request = CompletionRequest(document, 6, False, 3, sure=True)
    texts = ("f([\none(\none(\n))])", "a = 1")
    candidates = tuple(EngineCandidate(text, 0.5) for text in texts)
    trace = Trace("textDocument/inlineCompletion", "file:///a.py")
    offer = exchange.offer_of(request, EngineAnswer(candidates, 6, 6, "block"), Settings(), trace)
    assert offer is not None and [s.text for s in offer.whole] == ["a = 1"]
