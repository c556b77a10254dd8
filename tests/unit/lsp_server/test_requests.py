"""inlineCompletion through the whole server in this process, scripted engine."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from diffusion.errors import CheckpointError
from lsp_server.engine.engine import EngineAnswer, EngineConfig, EngineRequest
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.observe.trace import Trace
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "def add(a, b):\n    return \n"
SCRIPT = (
    answer("a + b", "a - b", "add(a, b)", before="return "),
    answer("\n    pass", before=":", after=""),
    answer("t(a)", before="prin"),
    answer("(a)", before="print"),
    answer("b)", before="f(a, ", replace=1),
    answer("\n\n", before="multi ", replace=3),
    answer("x", score=0.01, before="unsure "),
    answer(before="none ", reason="every canvas came out empty"),
    answer(before="fails ", error="no luck"),
)


async def open_drawn(wire: Wire, drawn: str, **options: Any) -> tuple[int, int]:
    """Initialize, open the document without its `¦`, and give the position of the mark."""
    await wire.initialize()
    before, _, after = drawn.partition("¦")
    wire.open(before + after, **options)
    line = before.rpartition("\n")[2]
    return before.count("\n"), len(line.encode("utf-16-le", "surrogatepass")) // 2


async def test_the_answer_replaces_the_whole_line(wire: Wire) -> None:
    line, character = await open_drawn(wire, "é = '😀'; return ¦ # tail\n")
    response = await wire.response(wire.ask_inline(line, character))
    item = response["result"]["items"][0]
    assert item["insertText"] == item["filterText"] == "é = '😀'; return a + b # tail"
    assert item["range"] == {
        "start": {"line": 0, "character": 0},
        "end": {"line": 0, "character": len("é = '😀';; return  # tail")},
    }


async def test_several_lines_in_the_middle_of_a_line_end_at_its_end(wire: Wire) -> None:
    wire.engine.filler.answers = (answer("a,\n        b", before="foo("),)
    line, character = await open_drawn(wire, "if x:\n    foo(¦)\n")
    assert await wire.inline(line, character) == ["    foo(a,\n        b)"]


async def test_crlf_documents_get_crlf(wire: Wire) -> None:
    line, character = await open_drawn(wire, "if x:¦\r\ny = 1\r\n")
    assert await wire.inline(line, character) == ["if x:\r\n    pass"]


async def test_alternatives(wire: Wire) -> None:
    line, character = await open_drawn(wire, "return ¦")
    texts = await wire.inline(line, character, automatic=False)
    assert texts == ["return a + b", "return a - b", "return add(a, b)"]


async def test_bytes_right_of_the_cursor_that_the_hole_takes_are_replaced(wire: Wire) -> None:
    line, character = await open_drawn(wire, "f(a, ¦)\n")
    assert await wire.inline(line, character) == ["f(a, b)"]


async def test_typing_along_asks_the_engine_once(wire: Wire) -> None:
    line, character = await open_drawn(wire, "def add(a, b):\n    return ¦\n")
    assert (await wire.inline(line, character))[0] == "    return a + b"
    for version, typed in enumerate("a +", start=2):
        wire.type(typed, line, character, version)
        character += 1
        assert "    return a + b" in await wire.inline(line, character)
    assert wire.engine.filler.requests == 1
    explained = await wire.ask("diffill/explainLast")
    assert explained["cacheHit"] is True


async def test_the_selected_pop_up_entry_is_extended(wire: Wire) -> None:
    line, character = await open_drawn(wire, "x = pri¦\n")
    word = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}}
    selected = {"range": word, "text": "print"}
    texts = await wire.inline(line, character, selectedCompletionInfo=selected)
    assert texts == ["x = print(a)"]
    response = await wire.response(
        wire.ask_inline(line, character, selectedCompletionInfo=selected)
    )
    assert response["result"]["items"][0]["range"]["end"]["character"] == 7


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
async def test_nothing_is_added_to_a_selected_entry_of_several_lines(
    wire: Wire, line_end: str
) -> None:
    line, character = await open_drawn(wire, "x = pri¦\nprint = 1\n")
    word = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}}
    selected = {"range": word, "text": f"print({line_end}    "}
    assert await wire.inline(line, character, selectedCompletionInfo=selected) == []
    explained = await wire.ask("diffill/explainLast")
    assert explained["reason"] == "notExpressible" and wire.engine.filler.requests == 0


async def asks(wire: Wire, place: tuple[int, int], **context: Any) -> bool:
    """Whether a request counts as asked for by a person."""
    line, character = place
    params = {"textDocument": {"uri": URI}, "position": {"line": line, "character": character}}
    await wire.ask("textDocument/inlineCompletion", {**params, **context})
    return not (await wire.ask("diffill/explainLast"))["automatic"]


async def test_who_asks_as_early_drafts_and_as_3_18_numbered_it(wire: Wire) -> None:
    place = await open_drawn(wire, "x = ¦\n")

    async def asked(kind: Any) -> bool:
        return await asks(wire, place, context={"triggerKind": kind})

    for kind, meant in ((1, True), (2, False), (3, False), (None, False), ("x", False)):
        assert await asked(kind) is meant, kind
    assert not await asks(wire, place) and not await asks(wire, place, context=None)
    assert not await asks(wire, place, context={})
    for kind, meant in ((0, True), (1, False), (2, False), (0, True)):
        assert await asked(kind) is meant, f"{kind}, by a client that has said 0"


async def test_params_without_a_place_are_refused(wire: Wire) -> None:
    await open_drawn(wire, "x = ¦\n")
    for wrong in ({"textDocument": {"uri": URI}}, {"context": 3}, []):
        response = await wire.response(wire.request("textDocument/inlineCompletion", wrong))
        assert response["error"]["code"] == -32602


async def test_a_selection_elsewhere_says_nothing(wire: Wire) -> None:
    line, character = await open_drawn(wire, "a\nx = prin¦\n")
    word = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    texts = await wire.inline(
        line, character, selectedCompletionInfo={"range": word, "text": "print"}
    )
    assert texts == ["x = print(a)"]


@pytest.mark.parametrize(
    ("drawn", "language", "reason", "message"),
    [
        ("x = ¦", "plaintext", "languageUnknown", "not one that Diffill reads: one of python"),
        ("x\0 = ¦", "python", "binary", "NUL"),
        ("multi ¦ab\ncd", "python", "notExpressible", "over lines"),
        ("unsure ¦", "python", "allFiltered", "extent: no start of it is worth a look"),
        ("none ¦", "python", "noCandidate", "every canvas came out empty"),
        ("fails ¦", "python", "engineFailed", "DiffillError"),
        ("nowhere ¦", "python", "noCandidate", "no answer for this place"),
        ("wo¦rd", "python", "insideWord", "inside a word"),
        ("x = 1  # say ¦", "python", "scopeOff", "comment"),
        ("y" * 3000 + " ¦", "python", "lineTooLong", "3001 of 2000 bytes"),
    ],
)
async def test_every_empty_answer_has_a_reason(
    wire: Wire, drawn: str, language: str, reason: str, message: str
) -> None:
    line, character = await open_drawn(wire, drawn, language=language, uri="untitled:1")
    assert await wire.inline(line, character, uri="untitled:1") == []
    explained = await wire.ask("diffill/explainLast", {"textDocument": {"uri": "untitled:1"}})
    assert explained["reason"] == reason
    assert message in explained["message"]
    assert explained["shown"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n\tif a:\n        return ¦",
        "def f(a):\r\n    x = 1\n    return ¦\r",
        "s = '\ud83d'\nreturn ¦",
        "\ufeffreturn ¦",
        "return ¦" + "\nx = 1" * 10_000,
    ],
    ids=["mixed tabs", "mixed line ends", "lone surrogate", "byte order mark", "long"],
)
async def test_unusual_text_is_answered(wire: Wire, text: str) -> None:
    line, character = await open_drawn(wire, text)
    (first, *_) = await wire.inline(line, character)
    assert first.endswith("return a + b")
    assert wire.engine.filler.requests == 1


async def test_five_megabytes_are_refused_quickly_and_editing_goes_on(wire: Wire) -> None:
    line, character = await open_drawn(wire, "x = 'aaaaaaaaaaaaaaaaaaaaaaaaa'\n" * 160_000 + "¦")
    assert await wire.inline(line, character) == []
    assert await wire.reason() == "fileTooLarge"
    wire.type("y", line, character, 2)
    assert len(wire.server.session.documents[URI].data) == 5_120_001


@pytest.mark.parametrize(("line", "reason"), [(3, "cursorOutside"), (2**31 - 1, "cursorOutside")])
async def test_a_cursor_below_the_document(wire: Wire, line: int, reason: str) -> None:
    await open_drawn(wire, TEXT + "¦")
    assert await wire.inline(line, 0) == []
    assert await wire.reason() == reason


async def test_a_cursor_past_the_line_end_is_at_the_line_end(wire: Wire) -> None:
    await open_drawn(wire, TEXT + "¦")
    assert (await wire.inline(1, 999))[0] == "    return a + b"


async def test_a_document_that_is_not_open(wire: Wire) -> None:
    await wire.initialize()
    assert await wire.inline(0, 0, uri="file:///other.py") == []
    assert await wire.reason() == "notOpen"
    wire.type("x", 0, 0, 2, uri="file:///other.py")
    wire.notify("textDocument/didClose", {"textDocument": {"uri": "file:///other.py"}})
    assert await wire.ask("diffill/explainLast", {"textDocument": {"uri": "file:///none"}}) is None


async def test_nothing_to_explain_before_the_first_request(wire: Wire) -> None:
    await wire.initialize()
    assert await wire.ask("diffill/explainLast") is None


async def test_a_missing_model_is_explained_and_shown_once() -> None:
    def load(config: EngineConfig) -> None:
        raise CheckpointError("no model in /nowhere", fix="reinstall diffill")

    wire = Wire(ScriptedEngine(scripted().filler, load=load))
    await wire.initialize({"experimental": {"diffillStatus": True}})
    wire.open(TEXT)
    for _ in range(2):
        assert await wire.inline(1, 11) == []
        explained = await wire.ask("diffill/explainLast")
        assert explained["reason"] == "modelUnavailable"
        assert "no model in /nowhere; reinstall diffill" in explained["message"]
    status = await wire.ask("diffill/status")
    assert (status["kind"], status["engine"]) == ("Error", "failed")
    shown = [m for m in wire.sent if m.get("method") == "window/showMessage"]
    assert len(shown) == 1 and "no model in /nowhere" in shown[0]["params"]["message"]
    pushed = [
        m["params"]["kind"] for m in wire.sent if m.get("method") == "diffill/statusDidChange"
    ]
    assert pushed[-1] == "Error"
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


class BrokenEngine(ScriptedEngine):
    """Breaks its promise that `submit` returns."""

    def submit(self, request: EngineRequest, cancel: CancelToken) -> Future[EngineAnswer]:
        raise RuntimeError("a mistake")


async def test_a_mistake_of_ours_is_an_explained_empty_answer() -> None:
    wire = Wire(BrokenEngine(scripted().filler))
    await wire.initialize()
    wire.open(TEXT)
    assert await wire.inline(1, 11) == []
    explained = await wire.ask("diffill/explainLast")
    assert explained["reason"] == "internal" and "RuntimeError" in explained["message"]
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def test_no_status_is_pushed_to_a_client_that_did_not_ask(wire: Wire) -> None:
    line, character = await open_drawn(wire, "return ¦")
    await wire.inline(line, character)
    assert not [m for m in wire.sent if m.get("method") == "diffill/statusDidChange"]


class Gated:
    """A wire whose engine holds still until told to step."""

    def __init__(self) -> None:
        self.wire = Wire(scripted([answer("a + b", steps=5)], gated=True))
        self.filler = self.wire.engine.filler
        self.started = asyncio.Event()
        loop = asyncio.get_running_loop()

        def heard(event: dict[str, Any]) -> None:
            if event["event"] == "start":
                loop.call_soon_threadsafe(self.started.set)

        self.filler.on_event = heard

    async def open(self) -> Wire:
        await self.wire.initialize()
        self.wire.open(TEXT)
        return self.wire

    async def until_started(self) -> None:
        async with asyncio.timeout(WAIT_S):
            await self.started.wait()
        self.started.clear()

    def close(self) -> None:
        self.wire.server.session.close()
        self.filler.release(1000)
        assert self.wire.engine.join(WAIT_S)


@pytest.fixture
async def gated() -> Any:
    gated = Gated()
    yield gated
    gated.close()


async def test_of_two_requests_only_the_newer_is_computed(gated: Gated) -> None:
    wire = await gated.open()
    first = wire.ask_inline(1, 11)
    await gated.until_started()
    second = wire.ask_inline(1, 11)
    gated.filler.release(100)
    assert (await wire.response(first))["result"]["items"] == []
    assert (await wire.response(second))["result"]["items"]
    assert gated.filler.steps == 5
    traces = [wire.server.session.traces._traces[n] for n in (0, 1)]
    assert [trace.reason for trace in traces] == ["superseded", None]


@pytest.mark.parametrize(("method", "reason"), [("didChange", "stale"), ("didClose", "closed")])
async def test_a_change_or_close_stops_the_work(gated: Gated, method: str, reason: str) -> None:
    wire = await gated.open()
    msg_id = wire.ask_inline(1, 11)
    await gated.until_started()
    if method == "didChange":
        wire.type("x", 0, 0, 2)
    else:
        wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    gated.filler.release(1)
    assert (await wire.response(msg_id))["result"]["items"] == []
    assert await wire.reason() == reason
    assert gated.filler.steps == 0


async def test_requests_for_two_documents_do_not_disturb_each_other(gated: Gated) -> None:
    wire = await gated.open()
    wire.open(TEXT, uri="file:///b.py")
    ids = [wire.ask_inline(1, 11), wire.ask_inline(1, 11, uri="file:///b.py")]
    gated.filler.release(10)
    for msg_id in ids:
        assert (await wire.response(msg_id))["result"]["items"]


async def test_a_cancel_before_the_work_began_leaves_a_trace(gated: Gated) -> None:
    wire = await gated.open()
    wire.cancel(wire.ask_inline(1, 11))
    assert await wire.reason() == "cancelled"
    wire.cancel(12345)  # unknown: ignored


async def test_other_open_documents_of_the_language_go_along_the_last_touched_first(
    wire: Wire,
) -> None:
    await wire.initialize()
    for name, language in (("a", "python"), ("b", "python"), ("c", "go")):
        wire.open(f"{name} = 1\n", uri=f"file:///{name}", language=language)
    wire.open("x = return \n", uri="file:///x", language="python")
    await wire.inline(0, 11, uri="file:///x")
    asked = wire.engine.filler.asked
    assert asked is not None and asked.elsewhere == (b"b = 1\n", b"a = 1\n")
    wire.server.session.configure({"context": {"openFiles": False}})
    await wire.inline(0, 10, uri="file:///x")
    asked = wire.engine.filler.asked
    assert asked is not None and asked.elsewhere == ()


@pytest.mark.parametrize(
    ("times_ms", "p50", "p95"), [([], None, None), ([149.0, 1.0], 75.0, 149.0), ([7.0], 7.0, 7.0)]
)
async def test_status_tells_the_usual_and_the_longest_waits(
    wire: Wire, times_ms: list[float], p50: float | None, p95: float | None
) -> None:
    await wire.initialize()
    for ms in times_ms:
        wire.server.session.traces.add(Trace("textDocument/inlineCompletion", URI, shown=1, ms=ms))
    status = await wire.ask("diffill/status")
    assert (status["p50"], status["p95"]) == (p50, p95)
