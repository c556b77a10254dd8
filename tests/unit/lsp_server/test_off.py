"""Where Diffill is off nothing is done, whoever asks is told why, and nothing marks words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from lsp_server.engine.engine import EngineRequest
from lsp_server.engine.scripted import ScriptedEngine, ScriptedFiller
from lsp_server.reasons import SENTENCES, Reason
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer

TEXT = "# double\nx = bad(___)\n"
DOCUMENT = {"textDocument": {"uri": URI}}
RANGE = {"start": {"line": 1, "character": 4}, "end": {"line": 1, "character": 7}}
AT = {**DOCUMENT, "position": RANGE["start"]}
ON = {"diagnostics": {"enable": True}}
CLIENT = {
    "textDocument": {
        "diagnostic": {},
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["refactor"]}},
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit"]},
        },
    }
}
ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "diffill/fill": (DOCUMENT, "fills"),
    "diffill/bridge": (AT, "fills"),
    "diffill/fromComment": (AT, "fills"),
    "diffill/rewrite": ({**DOCUMENT, "range": RANGE}, "rewrites"),
    "diffill/score": (DOCUMENT, "words"),
    "diffill/alternatives": (
        {**DOCUMENT, "range": RANGE, "text": "good", "offset": 0},
        "alternatives",
    ),
}
Switch = Callable[[Wire], Coroutine[Any, Any, None]]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(ScriptedEngine(ScriptedFiller((answer("y"),), suspects={"bad": "good"})))
    wire.server.session.idle_s = 0
    yield wire
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def run(wire: Wire, command: str, *arguments: Any) -> None:
    asked = {"command": command, "arguments": list(arguments)}
    await wire.ask("workspace/executeCommand", asked)


async def toggle(wire: Wire) -> None:
    await run(wire, "diffill.toggle")


def configured(**settings: Any) -> Switch:
    async def switch(wire: Wire) -> None:
        wire.notify("workspace/didChangeConfiguration", {"settings": {**ON, **settings}})

    return switch


WAYS = {
    "toggledOff": (toggle, toggle),
    "disabled": (configured(enable=False), configured()),
    "languageOff": (configured(languages={"python": False}), configured()),
}


async def marked(wire: Wire) -> int:
    return len((await wire.ask("textDocument/diagnostic", DOCUMENT))["items"])


async def actions(wire: Wire) -> Any:
    asked = {**DOCUMENT, "range": RANGE, "context": {"diagnostics": []}}
    return await wire.ask("textDocument/codeAction", asked)


@pytest.mark.parametrize("way", WAYS)
async def test_who_asks_is_told_why(wire: Wire, way: str) -> None:
    switch_off, switch_on = WAYS[way]
    await wire.initialize(CLIENT, initializationOptions=ON)
    wire.open(TEXT)
    await switch_off(wire)
    for method, (asked, key) in ASKED.items():
        result = await wire.ask(method, asked)
        assert (result[key], result["reason"]) == ([], SENTENCES[Reason(way)]), method
    assert wire.engine.filler.requests == 0
    await switch_on(wire)
    for method, (asked, key) in ASKED.items():
        result = await wire.ask(method, asked)
        assert result[key] and result["reason"] is None, method


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_is_marked_hovered_or_offered(wire: Wire, way: str) -> None:
    switch_off, switch_on = WAYS[way]
    await wire.initialize(CLIENT, initializationOptions=ON)
    wire.open(TEXT)
    assert await marked(wire) == 1
    offered = await actions(wire)
    kinds = [action["kind"] for action in offered[:2]]
    assert kinds == ["quickfix.diffill", "refactor.rewrite.diffill.light"]
    await switch_off(wire)
    asked_before = wire.engine.filler.requests
    assert await marked(wire) == 0
    assert await wire.ask("textDocument/hover", AT) is None
    assert await actions(wire) == []
    chosen = wire.request("codeAction/resolve", offered[1])
    error = (await wire.response(chosen))["error"]
    assert (error["code"], error["message"]) == (-32803, SENTENCES[Reason(way)])
    assert wire.engine.filler.requests == asked_before
    await switch_on(wire)
    assert await marked(wire) == 1
    assert len(await actions(wire)) == len(offered)


async def test_an_action_that_was_chosen_before_says_why_not(wire: Wire) -> None:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open(TEXT)
    rewrite, *_ = await actions(wire)
    await toggle(wire)
    await run(wire, rewrite["command"], *rewrite["arguments"])
    [shown] = [m for m in wire.sent if m.get("method") == "window/showMessage"]
    assert SENTENCES[Reason.TOGGLED_OFF] in shown["params"]["message"]
    assert not [m for m in wire.sent if m.get("method") == "workspace/applyEdit"]


async def test_a_snooze_spares_what_is_asked_for(wire: Wire) -> None:
    await wire.initialize(CLIENT, initializationOptions=ON)
    wire.open(TEXT)
    await run(wire, "diffill.snooze", 5)
    assert await marked(wire) == 0
    assert await wire.ask("textDocument/hover", AT) is None
    assert len(await actions(wire)) == 4
    assert (await wire.ask("diffill/fill", DOCUMENT))["fills"]


@pytest.mark.parametrize(
    ("settings", "language"),
    [({"languages": {"python": False}}, "python"), ({"performance": {"maxFileKB": 1}}, "python"),
     ({}, "plaintext")],
)  # fmt: skip
async def test_no_hover_where_nothing_is_marked(
    wire: Wire, settings: dict[str, Any], language: str
) -> None:
    await wire.initialize(CLIENT, initializationOptions={**ON, **settings})
    uri = "file:///work/notes.txt" if language == "plaintext" else URI
    wire.open(TEXT + 200 * "# long\n", uri=uri, language=language)
    assert await wire.ask("textDocument/hover", {**AT, "textDocument": {"uri": uri}}) is None
    assert wire.engine.filler.requests == 0


# What is under way


@pytest.fixture
def gated() -> Iterator[Wire]:
    wire = Wire(ScriptedEngine(ScriptedFiller((answer("y"),), gated=True)))
    yield wire
    wire.engine.filler.release(1000)
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def begun(wire: Wire, ask: Callable[[], int]) -> int:
    """Send a request; its id, when the model works on it."""
    started, loop = asyncio.Event(), asyncio.get_running_loop()
    wire.engine.filler.on_event = lambda event: loop.call_soon_threadsafe(started.set)
    msg_id = ask()
    async with asyncio.timeout(WAIT_S):
        await started.wait()
    return msg_id


@pytest.mark.parametrize("way", [*WAYS, "ignoredFile"])
async def test_what_is_under_way_ends(gated: Wire, way: str) -> None:
    await gated.initialize(CLIENT)
    gated.open(TEXT)
    switch_off = WAYS[way][0] if way in WAYS else configured(privacy={"ignore": ["*.py"]})
    msg_id = await begun(gated, lambda: gated.ask_inline(1, 8))
    await switch_off(gated)
    gated.engine.filler.release(1)
    assert (await gated.response(msg_id))["result"]["items"] == []
    assert await gated.reason() == way
    assert gated.engine.filler.steps == 0, "the model is told to stop, too"


async def test_a_snooze_holds_back_what_comes_after_it_began(gated: Wire) -> None:
    await gated.initialize()
    gated.open(TEXT)
    for automatic in (True, False):
        msg_id = await begun(gated, lambda auto=automatic: gated.ask_inline(1, 8, automatic=auto))
        await run(gated, "diffill.snooze", 5)
        gated.engine.filler.release(1)
        assert bool((await gated.response(msg_id))["result"]["items"]) is not automatic
        await run(gated, "diffill.snooze", 0)


async def fill_action(wire: Wire) -> Any:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open(TEXT)
    return next(action for action in await actions(wire) if action["title"] == "Fill the hole")


@pytest.mark.parametrize("is_there", [False, True])
async def test_an_action_edits_nothing_that_was_turned_off_meanwhile(
    gated: Wire, is_there: bool
) -> None:
    """Also where the model's answer is there, and the loop has not got to it."""
    fill = await fill_action(gated)
    asked = {"command": fill["command"], "arguments": fill["arguments"]}
    msg_id = await begun(gated, lambda: gated.request("workspace/executeCommand", asked))
    if is_there:
        gated.engine.filler.release(2)
        later = EngineRequest(b"", 0, "python")
        assert gated.engine.submit(later, CancelToken()).result(WAIT_S).candidates
    gated.notify("workspace/didChangeConfiguration", {"settings": {"enable": False}})
    gated.engine.filler.release(1)
    await gated.response(msg_id)
    [shown] = await sent(gated, "window/showMessage", 1)
    assert SENTENCES[Reason.DISABLED] in shown["message"]
    assert not [m for m in gated.sent if m.get("method") == "workspace/applyEdit"]


# What is shown already


async def sent(wire: Wire, method: str, number: int) -> list[Any]:
    """The parameters of the messages of a method, when there are so many."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = [m.get("params") for m in wire.sent if m.get("method") == method]
            if len(found) >= number:
                return found
            wire._changed.clear()
            await wire._changed.wait()


async def test_marks_that_are_shown_go_and_come_back(wire: Wire) -> None:
    await wire.initialize(initializationOptions=ON)
    wire.open(TEXT)
    method = "textDocument/publishDiagnostics"
    await sent(wire, method, 1)
    for number, command in enumerate(["toggle", "toggle", "snooze", "toggle"], 2):
        await run(wire, f"diffill.{command}")
        await sent(wire, method, number)
    assert [len(p["diagnostics"]) for p in await sent(wire, method, 5)] == [1, 0, 1, 0, 1]
    assert wire.engine.filler.requests == 1, "the same version is not scored twice"


async def test_who_pulls_is_asked_to_when_a_pause_begins_and_ends(wire: Wire) -> None:
    refresh = {"workspace": {"diagnostics": {"refreshSupport": True}}}
    await wire.initialize({**CLIENT, **refresh}, initializationOptions=ON)
    method = "workspace/diagnostic/refresh"
    await toggle(wire)
    await sent(wire, method, 1)
    await toggle(wire)
    await sent(wire, method, 2)
    await run(wire, "diffill.snooze", 0.0001)
    await sent(wire, method, 4)
