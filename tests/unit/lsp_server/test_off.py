"""Where Diffill is off nothing is done, whoever asks is told why, and nothing marks words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

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
