"""What is prepared ahead of need: the line below, as it would be asked for."""

from __future__ import annotations

import threading
from typing import Literal

import pytest

from diffusion.cancel import CancelToken
from lsp_server.completion.ahead import next_requests
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.foresight import Foresight
from lsp_server.completion.pace import Pace
from lsp_server.completion.pipeline import complete
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.observe.trace import Trace
from lsp_server.settings import InlineSettings, Settings
from tests.support.lsp_wire import WAIT_S, answer, scripted

CURSOR = "\u2038"


def predicted(drawn: str, *texts: str) -> list[str]:
    before, _, after = drawn.partition(CURSOR)
    at = len(before.encode())
    document = Document.open("file:///a.py", "python", 1, before + after)
    shown = [Suggestion(text, at, at, 0.5) for text in texts]
    return [
        (asked.text[: asked.cursor] + CURSOR.encode() + asked.text[asked.cursor :]).decode()
        for asked in next_requests(
            CompletionRequest(document, at, automatic=True), shown, while_typing=True
        )
    ]


def test_the_suggestion_accepted_then_the_line_as_it_is() -> None:
    assert predicted("def f():\n    x = \u2038\nend\n", "é(1)", "2") == [
        "def f():\n    x = é(1)\n    \u2038\nend\n",
        "def f():\n    x = \n    \u2038\nend\n",
    ]


def test_an_empty_line_is_not_left_behind() -> None:
    assert predicted("    \u2038\n", "pass") == ["    pass\n    \u2038\n"]
    assert predicted("    \u2038\n") == []


@pytest.mark.parametrize("drawn", ["f(\u2038)\n", "a \u2038 b\n"])
def test_amid_a_line_nothing_is_predicted(drawn: str) -> None:
    assert predicted(drawn, "x") == []


def test_line_ends_are_those_of_the_document() -> None:
    assert predicted("a\r\nb\u2038\r\n") == ["a\r\nb\r\n\u2038\r\n"]


def test_several_lines_go_on_from_the_last() -> None:
    assert predicted("if a:\n    \u2038", "x\n        y") == [
        "if a:\n    x\n        y\n        \u2038"
    ]


def test_a_line_that_was_answered_at_once_is_made_ready_itself() -> None:
    document = Document.open("file:///a.py", "python", 1, "x = 1")
    asked = CompletionRequest(document, 5, automatic=True)
    here, below = next_requests(asked, (), while_typing=True, at_once=True)
    assert (here.text, here.cursor, here.at_once) == (b"x = 1", 5, False)
    assert next_requests(asked, (), while_typing=True) == (below,)


def test_other_documents_are_passed_on() -> None:
    document = Document.open("file:///a.py", "python", 1, "x = 1")
    asked = CompletionRequest(document, 5, automatic=True, elsewhere=(document,))
    [prepared] = next_requests(asked, (), while_typing=True)
    assert prepared.elsewhere == (document.data,)


@pytest.mark.parametrize(
    ("trigger", "automatic", "in_haste"),
    [("auto", True, True), ("auto", False, True), ("manual", False, False)],
)
async def test_what_is_prepared_is_what_the_next_line_will_ask_for(
    trigger: Literal["auto", "manual"], automatic: bool, in_haste: bool
) -> None:
    """By typing, if typing asks at all; else by key again."""
    engine, told = scripted([answer("1", before="x = ")]), threading.Semaphore(0)
    engine.filler.on_event = lambda event: told.release() if event["event"] == "prepared" else None
    document = Document.open("file:///a.py", "python", 1, "x = ")
    shown = await complete(
        CompletionRequest(document, 4, automatic),
        settings=Settings(inline=InlineSettings(trigger=trigger)),
        engine=engine, cache=ForwardCache(), cancel=CancelToken(),
        trace=Trace("inline", "file:///a.py"), pace=Pace(), foresight=Foresight(),
    )  # fmt: skip
    assert [suggestion.text for suggestion in shown] == ["1"]
    assert told.acquire(timeout=WAIT_S) and told.acquire(timeout=WAIT_S)
    assert [asked.in_haste for asked in engine.filler.prepared] == [in_haste] * 2
    engine.close()
    assert engine.join(WAIT_S)
