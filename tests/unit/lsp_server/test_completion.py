"""The completion list: who is told of it, what counts as typing, and what it holds."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from lsp_server.completion.pace import Pace
from lsp_server.features.completion import TYPING_S
from tests.support.lsp_wire import URI, Wire, answer

SCRIPT = (
    answer("a + b", "a - b", "add(a, b)", before="return "),
    answer("unsure", score=0.01, before="x = "),
)
INLINE = {"inlineCompletion": {}}
DYNAMIC = {"completion": {"dynamicRegistration": True}}
INVOKED, CHARACTER, INCOMPLETE = 1, 2, 3
JUST_NOW, LONG_AGO = -60.0, TYPING_S + 60
"""Seconds since the last key; no slow machine makes the one the other."""


async def ask(wire: Wire, line: int, character: int, kind: int | None = INVOKED) -> list[Any]:
    """The items of the list."""
    params = {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
    }
    context = {} if kind is None else {"context": {"triggerKind": kind}}
    result = await wire.ask("textDocument/completion", {**params, **context})
    assert result["isIncomplete"] is True
    items: list[Any] = result["items"]
    return items


def configure(wire: Wire, **settings: Any) -> None:
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": settings}})


# What it holds


async def test_completion_items(wire: Wire) -> None:
    await wire.initialize()
    wire.open("    return \n")
    items = await ask(wire, 0, 11)
    assert [item["label"] for item in items] == ["a + b", "a - b", "add(a, b)"]
    assert items[0]["textEdit"]["range"]["start"] == {"line": 0, "character": 11}


# What counts as typing


@pytest.mark.parametrize(
    ("kind", "typed", "seconds_ago", "automatic"),
    [
        (CHARACTER, "", JUST_NOW, True),
        (INCOMPLETE, "", JUST_NOW, True),
        (INCOMPLETE, "a", LONG_AGO, True),
        (INVOKED, "", JUST_NOW, False),
        (INVOKED, "a", JUST_NOW, True),
        (INVOKED, "é", JUST_NOW, True),
        (INVOKED, "_", JUST_NOW, True),
        (INVOKED, "a", LONG_AGO, False),
        (INVOKED, "(", JUST_NOW, False),
        (None, "", JUST_NOW, False),
        (None, "a", JUST_NOW, True),
    ],
)
async def test_who_asks(
    wire: Wire, kind: int | None, typed: str, seconds_ago: float, automatic: bool
) -> None:
    now_s = [0.0]
    wire.server.session.pace = Pace(lambda: now_s[0])
    await wire.initialize()
    wire.open("f(x\nretur\n")
    if typed:
        wire.type(typed, 1, 5, 2)
        now_s[0] += seconds_ago
    await ask(wire, 1, 5 + len(typed), kind)
    assert (await wire.ask("diffill/explainLast"))["automatic"] is automatic


async def test_a_position_below_the_document_right_after_a_key(wire: Wire) -> None:
    await wire.initialize()
    wire.open("x")
    wire.type("y", 0, 1, 2)
    assert await ask(wire, 7, 0) == []
    assert await wire.reason() == "cursorOutside"


@pytest.mark.parametrize(
    ("line", "character", "settings", "reason"),
    [
        (0, 9, {}, "scopeOff"),
        (1, 4, {}, "allFiltered"),
        (2, 7, {"inline": {"trigger": "manual"}}, "manualOnly"),
    ],
)
async def test_what_is_typed_on_in_an_incomplete_list_is_not_asked_for(
    wire: Wire, line: int, character: int, settings: Any, reason: str
) -> None:
    await wire.initialize(initializationOptions=settings)
    wire.open("# return \nx = \nreturn \n")
    assert await ask(wire, line, character, INCOMPLETE) == []
    assert await wire.reason() == reason
    assert await ask(wire, line, character, INVOKED) != []


async def test_a_snooze_silences_what_is_typed_on(wire: Wire) -> None:
    await wire.initialize()
    wire.open("return ")
    snooze = {"command": "diffill.snooze", "arguments": [5]}
    await wire.ask("workspace/executeCommand", snooze)
    assert await ask(wire, 0, 7, INCOMPLETE) == []
    assert await wire.reason() == "snoozed"
    assert await ask(wire, 0, 7, INVOKED) != []


# Who is told of it


@pytest.mark.parametrize(
    ("text_document", "enable", "announced"),
    [
        ({}, None, True),
        ({}, "never", False),
        (INLINE, None, False),
        (INLINE, "always", True),
        ({**INLINE, **DYNAMIC}, "always", True),
    ],
)
async def test_completion_is_announced_to_clients_without_inline_completion(
    wire: Wire, text_document: Any, enable: str | None, announced: bool
) -> None:
    options = {} if enable is None else {"completion": {"enable": enable}}
    result = await wire.initialize({"textDocument": text_document}, initializationOptions=options)
    assert ("completionProvider" in result["capabilities"]) is announced


@pytest.mark.parametrize(
    ("text_document", "enable"), [({}, "never"), (INLINE, "never"), (INLINE, "ifNoInline")]
)
async def test_a_list_that_is_no_longer_wanted_is_empty_and_says_why(
    wire: Wire, text_document: Any, enable: str
) -> None:
    options = {"completion": {"enable": "always"}}
    await wire.initialize({"textDocument": text_document}, initializationOptions=options)
    wire.open("return ")
    assert await ask(wire, 0, 7) != []
    configure(wire, completion={"enable": enable})
    assert await ask(wire, 0, 7) == []
    assert await wire.reason() == "completionDisabled"


async def test_a_client_hears_of_it_when_the_settings_have_changed(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.initialize({"textDocument": {**INLINE, **DYNAMIC}})
    wire.open("return ")
    for enable in ("always", "always", "ifNoInline", "never", "always"):
        configure(wire, completion={"enable": enable})
    told = [m for m in wire.sent if m.get("method", "").startswith("client/")]
    assert [m["method"] for m in told] == [
        "client/registerCapability", "client/unregisterCapability", "client/registerCapability",
    ]  # fmt: skip
    (registration,) = told[0]["params"]["registrations"]
    (gone,) = told[1]["params"]["unregisterations"]
    assert registration["method"] == gone["method"] == "textDocument/completion"
    assert registration["id"] == gone["id"]
    assert "." in registration["registerOptions"]["triggerCharacters"]
    assert await ask(wire, 0, 7) != [], "answered, though the client has said nothing yet"
    for message in told[:2]:
        wire.message({"id": message["id"], "result": None})
    wire.message({"id": told[2]["id"], "error": {"code": -32601, "message": "no"}})
    assert "did not register completion" in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_client_that_cannot_be_told_later_is_answered(wire: Wire) -> None:
    await wire.initialize({"textDocument": INLINE})
    wire.open("return ")
    assert await ask(wire, 0, 7) == []
    configure(wire, completion={"enable": "always"})
    assert [m for m in wire.sent if m.get("method", "").startswith("client/")] == []
    assert await ask(wire, 0, 7) != []
