"""The next line's suggestion is there before it is asked for, and costs nobody anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Future

import pytest

from diffusion.cancel import CancelToken
from lsp_server.completion.ahead import next_completion, next_requests
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.candidate import Suggestion
from lsp_server.completion.exchange import Offer
from lsp_server.completion.foresight import Foresight
from lsp_server.completion.pace import Pace
from lsp_server.completion.pipeline import complete
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.engine.engine import (
    EngineAnswer,
    EngineCandidate,
    EngineRequest,
    EngineState,
    EngineStatus,
)
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.observe.trace import Trace
from lsp_server.reasons import Reason
from lsp_server.settings import Settings
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

CURSOR = "\u2038"
KNOWN = "x = 1\nseen = \nz = 2\n"
SCRIPT = (
    answer("known()", before="seen = "),
    answer("y = 3", before="known()\n"),
    answer("unlikely", before="x = 1", score=0.01),
    answer("unlikely", before="x = 1\n", score=0.01),
)


class AtOnce(Pace):
    """Nobody types faster than this."""

    pause_s = 0.0


class Told(ForwardCache):
    """Tells when something is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = asyncio.Semaphore(0)

    def store(
        self, request: CompletionRequest, suggestions: tuple[Suggestion, ...], generation: int
    ) -> None:
        super().store(request, suggestions, generation)
        self.stored.release()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire(scripted(SCRIPT))
    wire.engine.filler.foresees = True
    wire.server.session.pace, wire.server.session.cache = AtOnce(), Told()
    await wire.initialize()
    wire.open(KNOWN)
    yield wire
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def stored(wire: Wire, times: int) -> None:
    cache = wire.server.session.cache
    assert isinstance(cache, Told)
    async with asyncio.timeout(WAIT_S):
        for _ in range(times):
            await cache.stored.acquire()


async def test_who_takes_a_suggestion_and_opens_a_line_finds_the_next_one(wire: Wire) -> None:
    assert await wire.inline(1, 7) == ["seen = known()"]
    await stored(wire, 2)
    wire.type("known()\n", 1, 7, 2)
    assert await wire.inline(2, 0) == ["y = 3"]
    assert wire.engine.filler.requests == 1
    explained = await wire.ask("diffill/explainLast")
    assert explained["cacheHit"] is True


async def test_who_types_it_key_by_key_finds_it_too_and_it_is_asked_once(wire: Wire) -> None:
    await wire.inline(1, 7)
    await stored(wire, 2)
    for at, character in enumerate("known()"):
        wire.type(character, 1, 7 + at, 2 + at)
        if character != ")":
            assert await wire.inline(1, 8 + at) == ["seen = known()"]
    wire.type("\n    ", 1, 14, 9)
    assert await wire.inline(2, 4) == [], "a line that is indented otherwise is another one"
    assert (wire.engine.filler.requests, len(wire.engine.filler.foreseen)) == (2, 1)


async def test_what_would_not_be_shown_is_asked_in_its_time(wire: Wire) -> None:
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    wire.engine.filler.on_event = lambda event: (
        loop.call_soon_threadsafe(done.set) if event["event"] == "foreseen" else None
    )
    assert await wire.inline(0, 5) == []
    async with asyncio.timeout(WAIT_S):
        await done.wait()
    wire.type("\n", 0, 5, 2)
    assert await wire.inline(1, 0) == []
    assert wire.engine.filler.requests == 2


@pytest.mark.parametrize(
    ("options", "automatic"), [({"performance": {"encodeAhead": False}}, True), ({}, False)]
)
async def test_who_asks_by_key_or_does_not_want_it_has_nothing_foreseen(
    options: dict[str, object], automatic: bool
) -> None:
    wire = Wire(scripted(SCRIPT))
    wire.engine.filler.foresees = True
    wire.server.session.pace = AtOnce()
    await wire.initialize(initializationOptions=options)
    wire.open(KNOWN)
    assert await wire.inline(1, 7, automatic=automatic) == ["seen = known()"]
    foresight = wire.server.session.foresight
    assert foresight._soon is None and foresight._later is None
    wire.server.session.close()
    assert wire.engine.join(WAIT_S) and not wire.engine.filler.foreseen


async def test_a_closed_document_forgets_it(wire: Wire) -> None:
    await wire.inline(1, 7)
    await stored(wire, 2)
    wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    wire.open(KNOWN.replace("seen = ", "seen = known()\n"))
    assert await wire.inline(2, 0) == ["y = 3"]
    assert wire.engine.filler.requests == 2


async def test_of_a_closed_document_nothing_is_foreseen_or_held(wire: Wire) -> None:
    foresight = wire.server.session.foresight
    wire.server.session.pace = Pace()
    assert await wire.inline(1, 7) == ["seen = known()"]
    soon = foresight._soon
    wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert soon is not None and soon.cancelled() and foresight._expected is None


async def test_under_other_settings_nothing_is_asked(wire: Wire) -> None:
    session = wire.server.session
    assert await wire.inline(1, 7) == ["seen = known()"]
    await stored(wire, 2)
    foresight, generation = session.foresight, session.cache.generation
    session.cache.forget()
    document = Document.open(URI, "python", 1, KNOWN)
    expected = foresight._expected = CompletionRequest(document, 5, automatic=True)
    foresight._ask(expected, session.settings, wire.engine, session.cache, generation)
    assert foresight._expected is None


async def test_what_is_asked_of_the_model_ends_the_wait_for_a_pause(wire: Wire) -> None:
    foresight = wire.server.session.foresight
    await wire.inline(1, 7)
    await stored(wire, 2)
    wire.server.session.pace = Pace()
    wire.type("other = ", 0, 0, 2)
    await wire.inline(0, 8)
    soon, later = foresight._soon, foresight._later
    assert soon is not None and later is not None and later.cancelled()
    wire.type("x", 0, 8, 3)
    await wire.inline(0, 9)
    assert soon.cancelled()


async def test_a_real_request_ends_what_was_foreseen() -> None:
    engine = scripted([answer("1", before="x = ")], gated=True)
    engine.filler.foresees, ready, began = True, asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def state(status: EngineStatus) -> None:
        if status.state is EngineState.READY:
            loop.call_soon_threadsafe(ready.set)

    def hear(event: dict[str, object]) -> None:
        if event["event"] == "start":
            loop.call_soon_threadsafe(began.set)

    engine.listen(state)
    engine.filler.on_event = hear
    asked = EngineRequest(b"x = ", 4, "python")
    assert engine.foresee(asked).cancelled(), "no model is loaded for it"
    async with asyncio.timeout(WAIT_S):
        engine.preload()
        await ready.wait()
        engine.ahead(())
        foreseen = engine.foresee(asked)
        await began.wait()
        real = engine.submit(asked, CancelToken())
        engine.filler.release(9)
        assert (await asyncio.wrap_future(real)).candidates[0].text == "1"
    assert foreseen.cancelled()
    engine.close()
    assert engine.join(WAIT_S)


def drawn(text: str, *texts: str, shown: str | None = None) -> tuple[str | None, list[str]]:
    """Where the next completion and the next contexts are expected."""
    before, _, after = text.partition(CURSOR)
    at = len(before.encode())
    document = Document.open("file:///a.py", "python", 1, before + after)
    request = CompletionRequest(document, at, automatic=True)
    whole = tuple(Suggestion(one, at, at, 0.5) for one in texts)
    first = whole[:1] if shown is None else (Suggestion(shown, at, at, 0.5),)
    found = next_completion(request, Offer(whole, first))
    contexts = [
        with_cursor(asked.text, asked.cursor)
        for asked in next_requests(request, whole, while_typing=True)
    ]
    return found and with_cursor(found.document.data, found.cursor), contexts


def with_cursor(data: bytes, at: int) -> str:
    return (data[:at] + CURSOR.encode() + data[at:]).decode()


@pytest.mark.parametrize(
    ("text", "texts", "expected"),
    [
        (f"    x = {CURSOR}\nend\n", ("é(1)", "2"), f"    x = é(1)\n    {CURSOR}\nend\n"),
        (f"  x = 1{CURSOR}\r\nend\r\n", (), f"  x = 1\r\n  {CURSOR}\r\nend\r\n"),
        (f"  {CURSOR}\nend\n", (), None),  # nobody leaves an empty line behind
        (f"f({CURSOR})\n", ("x",), None),
        (f"{CURSOR}\nend\n", ("line\n",), None),  # a line above another: Enter does not follow
    ],
)
def test_what_is_expected(text: str, texts: tuple[str, ...], expected: str | None) -> None:
    found, contexts = drawn(text, *texts)
    assert found == expected
    assert found is None or contexts[0] == found, "its context is the first to be encoded"


def test_behind_a_start_nothing_is_expected() -> None:
    assert drawn(f"x = {CURSOR}\n", "f(a, b)", shown="f(")[0] is None


def test_the_end_of_a_text_that_has_none_is_not_expected() -> None:
    document = Document.open("file:///a.py", "python", 1, "x = ")
    asked = CompletionRequest(document, 4, automatic=True)
    unfinished = Suggestion("f(a, b", 4, 4, 0.0)
    [line] = next_requests(asked, (unfinished,), while_typing=True)
    assert line.text == b"x = \n"


class AtHand(ScriptedEngine):
    """Has answered before anybody hears of it."""

    def submit(self, request: EngineRequest, cancel: CancelToken) -> Future[EngineAnswer]:
        answered: Future[EngineAnswer] = Future()
        found = (EngineCandidate("foo()", 0.9, True),)
        answered.set_result(EngineAnswer(found, request.cursor, request.cursor))
        return answered


@pytest.mark.parametrize("overtaken", [False, True])
async def test_behind_an_answer_that_was_overtaken_nothing_is_expected(overtaken: bool) -> None:
    engine, foresight, cancel, cache = AtHand(scripted().filler), Foresight(), CancelToken(), Told()
    document = Document.open("file:///a.py", "python", 1, "x = ")
    answering = complete(
        CompletionRequest(document, 4, automatic=True),
        settings=Settings(), engine=engine, cache=cache, cancel=cancel,
        trace=Trace("inline", document.uri), pace=Pace(), foresight=foresight,
    )  # fmt: skip
    asked = asyncio.ensure_future(answering)
    await asyncio.sleep(0)  # the request has been made, the answer is not heard of yet
    if overtaken:
        cancel.cancel(Reason.STALE)
        foresight.stop()  # as the newer request does
    await asked
    assert (foresight._soon is None) is overtaken
    assert cache.lookup(CompletionRequest(document, 4, automatic=True)), "it may still be typed"
    foresight.stop()
    engine.close()
    assert engine.join(WAIT_S)
