"""The defects of pygls 2.1.1 (research: P1 to P13 and those found since), one test each.

Each of these fails when the fix in `lsp_server.protocol` or `lsp_server.server` is taken out.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.protocol import ForgetfulProgress
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "def add(a, b):\n    return \n"


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(scripted([answer("a + b")]))
    yield wire
    close(wire)


@pytest.fixture
def gated() -> Iterator[Wire]:
    wire = Wire(scripted([answer("a + b", steps=50)], gated=True))
    yield wire
    wire.engine.filler.release(1000)
    close(wire)


def close(wire: Wire) -> None:
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


class Steps:
    """Waits, on the event loop, until the scripted engine has reported an event."""

    def __init__(self, wire: Wire) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        wire.engine.filler.on_event = lambda event: self._loop.call_soon_threadsafe(
            self._events.put_nowait, event
        )

    async def until(self, event: str) -> None:
        async with asyncio.timeout(WAIT_S):
            while (await self._events.get())["event"] != event:
                pass


async def test_p1_inline_completion_is_advertised(wire: Wire) -> None:
    result = await wire.initialize()
    assert result["capabilities"]["inlineCompletionProvider"] == {}


async def test_p2_cancelling_a_command_stops_its_coroutine(wire: Wire) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @wire.server.command("test.wait")
    async def wait_for_ever(ls: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    await wire.initialize()
    msg_id = wire.request("workspace/executeCommand", {"command": "test.wait"})
    async with asyncio.timeout(WAIT_S):
        await begun.wait()
        wire.cancel(msg_id)
        await ended.wait()
    assert (await wire.response(msg_id))["error"]["code"] == -32800


async def test_p3_cancel_stops_the_engine_within_one_step(gated: Wire) -> None:
    wire, filler = gated, gated.engine.filler
    steps = Steps(wire)
    await wire.initialize()
    wire.open(TEXT)
    msg_id = wire.ask_inline(1, 11)
    filler.release(3)
    for _ in range(3):
        await steps.until("step")
    wire.cancel(msg_id)
    response = await wire.response(msg_id)  # at once: the engine still holds the fourth step
    assert response["error"]["code"] == -32800
    filler.release(1)
    await steps.until("end")
    assert filler.steps == 3
    assert await wire.reason() == "cancelled"


async def test_p4_inference_takes_no_thread_of_the_pool_that_reads_stdin(gated: Wire) -> None:
    steps = Steps(gated)
    await gated.initialize()
    gated.open(TEXT)
    gated.ask_inline(1, 11)
    await steps.until("start")
    names = [thread.name for thread in threading.enumerate()]
    assert "diffill-inference" in names
    assert gated.server._thread_pool is None  # nothing was ever put there


async def test_p5_shutdown_with_work_in_flight(gated: Wire) -> None:
    wire = gated
    steps = Steps(wire)

    @wire.server.command("test.wait")
    async def wait_for_ever(ls: Any) -> None:
        await asyncio.Event().wait()

    await wire.initialize()
    wire.open(TEXT)
    pending = [wire.request("workspace/executeCommand", {"command": "test.wait"}) for _ in range(3)]
    pending.append(wire.ask_inline(1, 11))
    await steps.until("start")
    assert await wire.ask("shutdown") is None
    for msg_id in pending:
        assert (await wire.response(msg_id))["error"]["code"] == -32800


async def test_p6_nothing_is_written_after_exit(
    gated: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    wire = gated
    steps = Steps(wire)
    await wire.initialize()
    wire.open(TEXT)
    wire.ask_inline(1, 11)
    await steps.until("start")
    await wire.ask("shutdown")
    wire.notify("exit")
    wire.close()
    before = len(wire.sent)
    wire.server.protocol.notify("diffill/statusDidChange", {})
    wire.engine.filler.release(50)
    await steps.until("end")
    assert len(wire.sent) == before
    assert wire.server.protocol.exit_code == 0
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_p6_an_error_while_writing_is_not_reported_by_writing(wire: Wire) -> None:
    await wire.initialize()
    wire.close()
    wire.server.protocol.notify("diffill/statusDidChange", {})  # would recurse for ever
    assert wire.server.protocol.exit_code is None


async def test_a_broken_pipe_stops_the_server(wire: Wire) -> None:
    await wire.initialize()

    class Broken:
        def write(self, data: bytes) -> None:
            raise BrokenPipeError

        def close(self) -> None: ...

    wire.server.protocol.set_writer(Broken())
    wire.server.protocol.notify("diffill/statusDidChange", {})
    assert wire.server.protocol.exit_code == 1
    assert wire.server._stop_event is not None and wire.server._stop_event.is_set()


async def test_p7_a_burst_is_answered_for_the_text_that_was_asked_about(wire: Wire) -> None:
    """Over TCP the handler of a request runs after the changes that came behind it."""
    await wire.initialize()
    wire.open(TEXT)
    msg_id = wire.ask_inline(1, 11)
    for version in range(2, 8):
        wire.type("x", 0, 0, version)
    response = await wire.response(msg_id)
    assert response["result"]["items"] == []
    explained = await wire.ask("diffill/explainLast")
    assert (explained["reason"], explained["version"]) == ("stale", 1)
    assert await wire.inline(1, 11) == ["    return a + b"]


async def test_p8_form_feed_and_line_separator_do_not_end_lines(wire: Wire) -> None:
    await wire.initialize()
    wire.open("a = '\u2028\x0c\x85'\ndef add(a, b):\n    return \n")
    assert await wire.inline(2, 11) == ["    return a + b"]
    wire.type("b", 0, 0, 2)
    assert wire.server.session.documents["file:///work/a.py"].data.startswith(b"ba = ")


async def test_p9_the_end_of_an_empty_document_is_a_position(wire: Wire) -> None:
    await wire.initialize()
    wire.open("")
    assert await wire.inline(0, 0) == ["a + b"]


async def test_p11_a_progress_token_can_be_used_again(wire: Wire) -> None:
    await wire.initialize()
    progress = wire.server.work_done_progress
    assert isinstance(progress, ForgetfulProgress)
    for _ in range(2):
        created = asyncio.ensure_future(progress.create_async("load"))
        await asyncio.sleep(0)
        request = [m for m in wire.sent if m.get("method") == "window/workDoneProgress/create"][-1]
        wire.message({"id": request["id"], "result": None})
        await created
        progress.begin("load", types.WorkDoneProgressBegin(title="Loading"))
        progress.end("load", types.WorkDoneProgressEnd())
    assert progress.tokens == {}


async def test_p13_background_errors_are_logged_and_not_shown(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    @wire.server.feature("test/fails")
    async def fails(ls: Any, params: Any) -> None:
        raise RuntimeError("secret = 'code of the user'")

    await wire.initialize()
    wire.notify("test/fails")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "RuntimeError" in caplog.text
    assert not [m for m in wire.sent if m.get("method") == "window/showMessage"]


# Found while building


async def test_finished_futures_are_forgotten(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    for version in range(2, 20):
        wire.type("x", 0, 0, version)
        wire.notify("workspace/didChangeConfiguration", {"settings": {}})
    await wire.inline(1, 11)
    for _ in range(100):  # turns of the loop, for what follows `initialized`
        await asyncio.sleep(0)
    assert wire.server.protocol._request_futures == {}


@pytest.mark.parametrize("position", [{"line": -1, "character": 0}, {"line": "x"}, None])
async def test_a_request_that_cannot_be_read_is_answered(wire: Wire, position: Any) -> None:
    await wire.initialize()
    document = {"uri": "file:///work/a.py"}
    params = {"textDocument": document, "position": position, "context": {"triggerKind": 1}}
    msg_id = wire.request("textDocument/inlineCompletion", params)
    assert (await wire.response(msg_id))["error"]["code"] == -32602


@pytest.mark.parametrize("result", [None, 3])
async def test_a_response_that_cannot_be_read_ends_the_wait_for_it(
    wire: Wire, result: Any
) -> None:
    await wire.initialize()
    params = types.ConfigurationParams([types.ConfigurationItem(section="diffill")])
    asked = asyncio.ensure_future(wire.server.workspace_configuration_async(params))
    await asyncio.sleep(0)
    [request] = [m for m in wire.sent if m.get("method") == "workspace/configuration"]
    for odd in ([], 7, "unknown"):  # nobody waits for these
        wire.message({"id": odd, "result": None})
    assert not asked.done()
    wire.message({"id": request["id"], "result": result})
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(JsonRpcException):
            await asked
    assert request["id"] not in wire.server.protocol._request_futures


async def test_requests_before_initialize_are_refused(wire: Wire) -> None:
    wire.open(TEXT)
    assert (await wire.response(wire.ask_inline(0, 0)))["error"]["code"] == -32002
    assert wire.server.session.documents == {}


async def test_initialize_twice_is_refused(wire: Wire) -> None:
    await wire.initialize()
    msg_id = wire.request("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert (await wire.response(msg_id))["error"]["code"] == -32600


async def test_requests_after_shutdown_are_refused(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    await wire.ask("shutdown")
    assert (await wire.response(wire.ask_inline(1, 11)))["error"]["code"] == -32600


async def test_an_unknown_request_is_refused_and_the_server_lives(wire: Wire) -> None:
    await wire.initialize()
    response = await wire.response(wire.request("test/unknown", {}))
    assert response["error"]["code"] == -32601
    wire.open(TEXT)
    assert await wire.inline(1, 11) == ["    return a + b"]


async def test_what_is_unknown_is_a_line_with_its_method_or_none(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await wire.initialize()
    for method in ("$/foo", "textDocument/didSave"):
        wire.notify(method, {"textDocument": {"uri": URI}})
    wire.cancel(999)
    response = await wire.response(wire.request("textDocument/foo", {}))
    assert response["error"]["code"] == -32601 and "foo" in response["error"]["message"]
    [record] = [record for record in caplog.records if record.levelno > logging.INFO]
    assert "'textDocument/foo'" in record.getMessage()
    assert (record.levelno, record.exc_info) == (logging.WARNING, None)


@pytest.mark.parametrize(("shut_down", "code"), [(True, 0), (False, 1)])
async def test_the_exit_code_says_whether_shutdown_came_first(
    wire: Wire, shut_down: bool, code: int
) -> None:
    await wire.initialize()
    if shut_down:
        await wire.ask("shutdown")
    wire.notify("exit")
    assert wire.server.protocol.exit_code == code


async def test_a_handler_that_raises_gives_an_error_and_a_trace_end(wire: Wire) -> None:
    """A generator handler hears of what its coroutine raised."""
    heard = []

    async def inner() -> None:
        raise ValueError("inner")

    @wire.server.feature("test/generator")
    def outer(ls: Any, params: Any) -> Any:
        try:
            yield inner, (), {}
        finally:
            heard.append("end")

    await wire.initialize()
    response = await wire.response(wire.request("test/generator", {}))
    assert response["error"]["code"] == -32603
    assert heard == ["end"]


async def test_a_refused_request_is_one_line_in_the_log(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await wire.initialize()
    wire.open(TEXT)
    params = {"textDocument": {"uri": URI, "version": 7}}
    response = await wire.response(wire.request("diffill/fill", params))
    assert "not 7" in response["error"]["message"]
    [record] = [record for record in caplog.records if "refused" in record.getMessage()]
    assert (record.levelno, record.exc_info) == (logging.INFO, None)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
