"""Changes as odd clients send them: read if they can be, else nothing is offered any more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lsp_wire import URI, Wire, answer

SCRIPT = [answer("a + b", before="return ")]
MANY = 2**32 - 1
OTHER = "file:///work/b.py"
BAD = {"range": {"start": {"line": 0, "character": -1}, "end": {"line": 0, "character": 0}},
       "text": "x"}  # fmt: skip


def where(line: int, character: int, end_line: int, end: int) -> dict[str, Any]:
    start = {"line": line, "character": character}
    return {"start": start, "end": {"line": end_line, "character": end}}


def change(wire: Wire, *changes: Any, uri: str = URI, **document: Any) -> None:
    item = {"uri": uri, **document}
    wire.notify(
        "textDocument/didChange", {"textDocument": item, "contentChanges": list(changes)}
    )


def shown(wire: Wire) -> list[str]:
    return [m["params"]["message"] for m in wire.sent if m.get("method") == "window/showMessage"]


def text(wire: Wire, uri: str = URI) -> str:
    return wire.server.session.documents[uri].data.decode()


@pytest.mark.parametrize(
    ("document", "version"),
    [
        ({}, 8),
        ({"version": None}, 8),
        ({"version": "9"}, 8),
        ({"version": True}, 8),
        ({"version": 10**11}, 8),
        ({"version": 9.0}, 9),
        ({"version": 0}, 0),
    ],
)
async def test_a_change_without_a_version_is_the_next(
    wire: Wire, document: dict[str, Any], version: int
) -> None:
    await wire.initialize()
    wire.open("retur ", version=7)
    change(wire, {"range": where(0, 5, 0, 5), "text": "n"}, **document)
    assert wire.server.session.documents[URI].version == version
    assert await wire.inline(0, 7) == ["return a + b"]


@pytest.mark.parametrize("end", [(2**31, 0), (MANY, MANY), (0, 2**31), (0.0, 1e12)])
async def test_a_change_up_to_the_end_of_any_document(wire: Wire, end: tuple[int, int]) -> None:
    await wire.initialize()
    wire.open("x = y")
    change(wire, {"range": where(0, 0, *end), "rangeLength": -1, "text": "return "}, version=2)
    assert await wire.inline(0, 7) == ["return a + b"]


async def test_a_null_range_is_the_whole_document(wire: Wire) -> None:
    await wire.initialize()
    wire.open("x = y")
    change(wire, {"range": None, "rangeLength": None, "text": "return "}, version=2)
    assert await wire.inline(0, 7) == ["return a + b"]


@pytest.mark.parametrize("item", [{}, {"version": None, "languageId": None}, {"version": "x"}])
async def test_a_document_may_be_opened_with_its_text_alone(
    wire: Wire, item: dict[str, Any]
) -> None:
    await wire.initialize()
    wire.notify("textDocument/didOpen", {"textDocument": {"uri": URI, "text": "return ", **item}})
    assert wire.server.session.documents[URI].version == 0
    assert await wire.inline(0, 7) == ["return a + b"]


@pytest.mark.parametrize(
    "changes",
    [
        None,
        "text",
        {"text": "x"},
        [None],
        [{}],
        [{"text": None}],
        [{"text": 5}],
        [{"text": "x", "range": 5}],
        [{"text": "x", "range": {"start": {"line": 0, "character": 0}}}],
        [{"text": "fine"}, BAD],
        [BAD],
    ],
)
async def test_a_change_that_cannot_be_read_puts_the_document_out_of_sync(
    wire: Wire, changes: Any
) -> None:
    await wire.initialize()
    wire.open("return ")
    wire.open("return ", uri=OTHER)
    document = {"uri": URI, "version": 2}
    wire.notify("textDocument/didChange", {"textDocument": document, "contentChanges": changes})
    assert text(wire) == "return "
    assert await wire.inline(0, 7) == []
    assert await wire.reason() == "outOfSync"
    assert await wire.inline(0, 7, automatic=False) == []
    assert await wire.inline(0, 7, uri=OTHER) == ["return a + b"]
    assert shown(wire) == ["Diffill cannot read what the editor says of changes in a.py "
                           "and offers nothing there; open it again"]  # fmt: skip


async def test_every_request_is_answered_with_nothing_and_the_reason(wire: Wire) -> None:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open("return ___\n")
    change(wire, BAD, version=2)
    about: dict[str, Any] = {"textDocument": {"uri": URI, "version": 2}}
    at = {"line": 0, "character": 7}
    span = where(0, 7, 0, 10)
    everything = {**about, "position": at, "range": span, "text": "x", "offset": 0}
    for method, empty in (
        ("diffill/fill", "fills"),
        ("diffill/bridge", "fills"),
        ("diffill/rewrite", "rewrites"),
        ("diffill/alternatives", "alternatives"),
        ("diffill/score", "words"),
    ):
        result = await wire.ask(method, everything)
        assert result[empty] == [], method
        assert "could not be read" in result["reason"], method
    assert (await wire.ask("textDocument/completion", everything))["items"] == []
    assert await wire.ask("textDocument/codeAction", {**everything, "context": {}}) == []


async def test_a_request_under_way_ends_when_a_change_is_lost(wire: Wire) -> None:
    await wire.initialize()
    wire.open("return ")
    assert await wire.inline(0, 7) == ["return a + b"]
    asked = wire.ask_inline(0, 7)
    change(wire, BAD)
    assert (await wire.response(asked))["result"]["items"] == []
    assert await wire.reason() == "stale"
    confidence = await wire.ask("diffill/confidence", {"textDocument": {"uri": URI}})
    assert confidence == {"items": []}


async def test_only_a_whole_text_brings_a_document_back(wire: Wire) -> None:
    await wire.initialize()
    wire.open("x")
    for number in range(3):
        change(wire, BAD)
        change(wire, {"range": where(0, 0, 0, 0), "text": "return "}, version=10 + number)
        change(wire, version=20)
        assert text(wire) == "x" and wire.server.session.documents[URI].version == 20
        assert await wire.inline(0, 0) == []
    assert len(shown(wire)) == 1
    whole = {"text": "retur"}
    then = {"range": where(0, 5, 0, 5), "text": "n "}
    change(wire, {"range": where(0, 0, 9, 9), "text": "y"}, whole, then, version=21)
    assert text(wire) == "return "
    assert await wire.inline(0, 7) == ["return a + b"]
    change(wire, BAD)
    assert await wire.inline(0, 7) == []
    assert len(shown(wire)) == 1, "the user was told of this document"


async def test_a_document_is_back_when_it_is_opened_again(wire: Wire) -> None:
    await wire.initialize()
    for _ in range(2):
        wire.open("return ")
        assert await wire.inline(0, 7) == ["return a + b"]
        change(wire, BAD)
        assert await wire.inline(0, 7) == []
        wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        assert await wire.inline(0, 7) == []
        assert await wire.reason() == "notOpen"
    assert len(shown(wire)) == 2


@pytest.mark.parametrize("params", [None, [], {}, {"textDocument": {"version": 2}}])
async def test_a_change_of_who_knows_what_may_be_of_any_document(wire: Wire, params: Any) -> None:
    await wire.initialize()
    wire.open("return ")
    wire.open("return ", uri=OTHER)
    wire.message({"method": "textDocument/didChange", "params": params})
    assert await wire.inline(0, 7) == await wire.inline(0, 7, uri=OTHER) == []
    assert await wire.reason() == "outOfSync"
    [told] = shown(wire)
    assert "a.py, b.py" in told


async def test_an_open_that_cannot_be_read(wire: Wire) -> None:
    await wire.initialize()
    for item in (None, {}, {"uri": OTHER}, {"uri": OTHER, "text": None}):
        wire.notify("textDocument/didOpen", {"textDocument": item})
    assert wire.server.session.documents == {} and shown(wire) == []
    wire.open("return ")
    wire.notify("textDocument/didOpen", {"textDocument": {"uri": URI, "text": 5}})
    assert await wire.inline(0, 7) == []
    assert await wire.reason() == "outOfSync"
