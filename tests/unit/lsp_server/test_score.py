"""`diffill/score`, suspicious words as diagnostics with quick fixes, and hover."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from lsp_server.engine.engine import EngineScoreAnswer, EngineScoreRequest
from lsp_server.engine.scripted import ScriptedEngine, ScriptedFiller
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer

TEXT = "# lenght\ns = '😀'; n = lenght(items)\n"
WORD = {"start": {"line": 1, "character": 14}, "end": {"line": 1, "character": 20}}
PULLS = {"textDocument": {"diagnostic": {}}}
ON = {"initializationOptions": {"diagnostics": {"enable": True}}}


def engine(*, gated: bool = False) -> ScriptedEngine:
    return ScriptedEngine(
        ScriptedFiller((answer("a + b"),), gated=gated, suspects={"lenght": "length"})
    )


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(engine())
    wire.server.session.idle_s = 0
    yield wire
    close(wire)


@pytest.fixture
def gated() -> Iterator[Wire]:
    wire = Wire(engine(gated=True))
    wire.server.session.idle_s = 0
    yield wire
    wire.engine.filler.release(1000)
    close(wire)


def close(wire: Wire) -> None:
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def pull(wire: Wire, uri: str = URI) -> list[dict[str, Any]]:
    report = await wire.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})
    assert report["kind"] == "full"
    items: list[dict[str, Any]] = report["items"]
    return items


async def actions(wire: Wire, only: list[str] | None = None, line: int = 1) -> Any:
    at = {"line": line, "character": 16}
    context: dict[str, Any] = {"diagnostics": []}
    if only is not None:
        context["only"] = only
    params = {"textDocument": {"uri": URI}, "range": {"start": at, "end": at}, "context": context}
    return await wire.ask("textDocument/codeAction", params)


async def test_score_gives_every_word_of_a_range(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    where = {"start": {"line": 1, "character": 10}, "end": {"line": 1, "character": 99}}
    result = await wire.ask("diffill/score", {"textDocument": {"uri": URI}, "range": where})
    assert [w["text"] for w in result["words"]] == ["n", "lenght", "items"]
    assert result["words"][1] == {
        "range": WORD, "text": "lenght", "p": 0.05, "alternatives": [{"text": "length", "p": 0.9}],
    }  # fmt: skip
    assert result["complete"] is True and result["reason"] is None
    assert result["range"] == {**where, "end": {"line": 1, "character": 27}}


async def test_score_says_how_far_it_came(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.features.score.MAX_TOKENS", 2)
    await wire.initialize()
    wire.open(TEXT)
    result = await wire.ask("diffill/score", {"textDocument": {"uri": URI}})
    assert result["complete"] is False and len(result["words"]) == 2
    assert result["range"]["end"] == {"line": 1, "character": 1}


@pytest.mark.parametrize(
    ("params", "said"),
    [
        (None, "must be an object"),
        ({"textDocument": {"uri": "file:///other"}}, "not an open document"),
        ({"textDocument": {"uri": URI}, "codeOnly": 1}, "give true or false"),
        ({"textDocument": {"uri": URI}, "range": {}}, "range.start is not a position"),
        ({"textDocument": {"uri": URI}, "range": [1]}, "range.start is not a position"),
        (
            {"textDocument": {"uri": URI}, "range": {**WORD, "end": {"line": 9, "character": 0}}},
            "at line 9, the document has 3",
        ),
        (
            {"textDocument": {"uri": URI}, "range": {**WORD, "end": {"line": 0, "character": 0}}},
            "range.end lies before",
        ),
    ],
)
async def test_params_that_make_no_sense_are_named(wire: Wire, params: Any, said: str) -> None:
    await wire.initialize()
    wire.open(TEXT)
    error = (await wire.response(wire.request("diffill/score", params)))["error"]
    assert error["code"] == -32602 and said in error["message"]
    assert (await wire.ask("diffill/score", {"textDocument": {"uri": URI}}))["words"]


async def test_files_that_are_left_alone_are_not_scored(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(PULLS, **ON)
    uri = (tmp_path / ".env.py").as_uri()
    wire.open(TEXT, uri=uri)
    result = await wire.ask("diffill/score", {"textDocument": {"uri": uri}})
    assert result["words"] == [] and "hold secrets" in result["reason"]
    assert await pull(wire, uri) == []
    assert wire.engine.filler.requests == 0


async def test_who_types_meanwhile_waits_for_a_few_words_alone(
    gated: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_server.features.score.PIECE_TOKENS", 2)
    await gated.initialize()
    gated.open(TEXT)
    other = "file:///other.py"
    gated.open("x = \n", uri=other)
    scored = gated.request("diffill/score", {"textDocument": {"uri": URI}})
    asked = gated.ask_inline(0, 4, uri=other)
    async with asyncio.timeout(WAIT_S):
        while not gated.engine.status().queue:  # behind the first words
            await asyncio.sleep(0)
    gated.engine.filler.release(2)
    assert (await gated.response(asked))["result"]["items"]
    assert all(message.get("id") != scored for message in gated.sent), "most is still to come"
    gated.engine.filler.release(20)
    result = (await gated.response(scored))["result"]
    assert [w["text"] for w in result["words"]] == re.findall(r"\w+", TEXT)
    assert result["complete"] is True and result["tokens"] == len(result["words"])


async def test_scoring_ends_in_time_and_says_so(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_server.features.score.PIECE_TOKENS", 2)
    monkeypatch.setattr("lsp_server.features.score.LONGEST_S", -1.0)
    await wire.initialize()
    wire.open(TEXT)
    result = await wire.ask("diffill/score", {"textDocument": {"uri": URI}})
    assert result["complete"] is False and len(result["words"]) == 2


async def test_an_edit_stops_scoring(gated: Wire) -> None:
    await gated.initialize()
    gated.open(TEXT)
    asked = gated.request("diffill/score", {"textDocument": {"uri": URI}})
    gated.type("x", 0, 0, 2)
    gated.engine.filler.release(1)
    result = (await gated.response(asked))["result"]
    assert result["words"] == [] and "document changed" in result["reason"]
    assert result["complete"] is False


# Diagnostics


async def test_off_unless_asked_for(wire: Wire) -> None:
    await wire.initialize(PULLS)
    wire.open(TEXT)
    assert await pull(wire) == []
    assert wire.engine.filler.requests == 0
    hover = {"textDocument": {"uri": URI}, "position": WORD["start"]}
    assert await wire.ask("textDocument/hover", hover) is None


async def test_a_pull_marks_words_with_a_hint(wire: Wire) -> None:
    await wire.initialize(PULLS, **ON)
    wire.open(TEXT)
    found = await pull(wire)
    marks = [(d["range"]["start"]["line"], d["severity"], d["source"], d["code"]) for d in found]
    assert marks == [(0, 4, "diffill", "unlikely-token"), (1, 4, "diffill", "unlikely-token")]
    assert found[1]["range"] == WORD
    assert "'length' would be likelier (p 0.9)" in found[1]["message"]
    assert found[1]["data"]["alternatives"] == [{"text": "length", "p": 0.9}]
    assert await pull(wire) == found
    assert wire.engine.filler.requests == 1, "the same version is not scored twice"


class OnceFailing(ScriptedFiller):
    """Has no memory for its first score."""

    def score(self, request: EngineScoreRequest, cancel: CancelToken) -> EngineScoreAnswer:
        if self.requests == 0:
            self.requests = 1
            raise MemoryError
        return super().score(request, cancel)


async def test_a_document_that_could_not_be_scored_is_scored_when_asked_again() -> None:
    wire = Wire(ScriptedEngine(OnceFailing((), suspects={"lenght": "length"})))
    wire.server.session.idle_s = 0
    await wire.initialize(PULLS, **ON)
    wire.open(TEXT)
    assert await pull(wire) == []
    assert len(await pull(wire)) == 2
    close(wire)


async def test_threshold_and_number_are_settings(wire: Wire) -> None:
    await wire.initialize(PULLS, **ON)
    wire.open(TEXT)
    for settings, count in (({"maxPerFile": 1}, 1), ({"threshold": 0.9}, 0), ({}, 2)):
        changed = {"settings": {"diagnostics": {"enable": True, **settings}}}
        wire.notify("workspace/didChangeConfiguration", changed)
        assert len(await pull(wire)) == count


async def test_a_completion_takes_the_engine_away_from_a_pull(gated: Wire) -> None:
    await gated.initialize(PULLS, **ON)
    gated.open(TEXT)
    pulled = gated.request("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    gated.engine.filler.on_event = lambda event: loop.call_soon_threadsafe(started.set)
    async with asyncio.timeout(WAIT_S):
        await started.wait()
    asked = gated.ask_inline(2, 0)
    gated.engine.filler.release(2)
    assert (await gated.response(asked))["result"]["items"]
    error = (await gated.response(pulled))["error"]
    assert error["code"] == -32802 and error["data"] == {"retriggerRequest": True}


async def test_after_an_edit_a_pull_need_not_come_again(gated: Wire) -> None:
    await gated.initialize(PULLS, **ON)
    gated.open(TEXT)
    pulled = gated.request("textDocument/diagnostic", {"textDocument": {"uri": URI}})
    gated.type("x", 0, 0, 2)
    gated.engine.filler.release(2)
    error = (await gated.response(pulled))["error"]
    assert error["code"] == -32802 and error["data"] == {"retriggerRequest": False}


async def sent(wire: Wire, method: str, number: int = 0) -> Any:
    """The parameters of the `number`-th message of a method, when it is there."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = [m.get("params") for m in wire.sent if m.get("method") == method]
            if len(found) > number:
                return found[number]
            wire._changed.clear()
            await wire._changed.wait()


async def published(wire: Wire, number: int) -> Any:
    return await sent(wire, "textDocument/publishDiagnostics", number)


async def test_clients_that_do_not_pull_are_told(wire: Wire) -> None:
    await wire.initialize({}, **ON)
    wire.open(TEXT)
    first = await published(wire, 0)
    assert (first["uri"], first["version"], len(first["diagnostics"])) == (URI, 1, 2)
    wire.type("x", 0, 2, 2)  # "xlenght" is another word
    second = await published(wire, 1)
    assert (second["version"], len(second["diagnostics"])) == (2, 1)
    wire.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert (await published(wire, 2))["diagnostics"] == []


async def test_switched_off_they_are_taken_away(wire: Wire) -> None:
    await wire.initialize({}, **ON)
    wire.open(TEXT)
    await published(wire, 0)
    off = {"settings": {"diagnostics": {"enable": False}}}
    wire.notify("workspace/didChangeConfiguration", off)
    assert (await published(wire, 1))["diagnostics"] == []


async def test_a_client_that_pulls_is_asked_to_pull_again(wire: Wire) -> None:
    refresh = {"workspace": {"diagnostics": {"refreshSupport": True}}}
    await wire.initialize({**PULLS, **refresh})
    on = {"settings": {"diagnostics": {"enable": True}}}
    wire.notify("workspace/didChangeConfiguration", on)
    await sent(wire, "workspace/diagnostic/refresh")
    assert not [m for m in wire.sent if m.get("method") == "textDocument/publishDiagnostics"]


# Quick fixes and hover


LITERALS = {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}}}


async def test_quick_fixes_replace_the_word(wire: Wire) -> None:
    client = {"textDocument": {"diagnostic": {}, "codeAction": LITERALS}}
    result = await wire.initialize(client, **ON)
    assert "quickfix.diffill" in result["capabilities"]["codeActionProvider"]["codeActionKinds"]
    wire.open(TEXT)
    assert await actions(wire) == [], "nothing is known yet"
    await pull(wire)
    [fix] = await actions(wire)
    assert fix["kind"] == "quickfix.diffill" and "length" in fix["title"]
    assert fix["edit"]["changes"] == {URI: [{"range": WORD, "newText": "length"}]}
    assert fix["diagnostics"][0]["range"] == WORD
    assert len(await actions(wire, only=["quickfix"])) == 1
    assert await actions(wire, only=[""]) == [fix]
    assert await actions(wire, only=["refactor"]) == []
    assert await actions(wire, line=2) == []
    wire.type("x", 0, 0, 2)
    assert await actions(wire) == [], "they are for the version that was scored"


async def test_quick_fixes_are_what_the_client_can_take(wire: Wire) -> None:
    code_action = {**LITERALS, "isPreferredSupport": True, "tagSupport": {"valueSet": [1]}}
    client = {
        "textDocument": {"diagnostic": {}, "codeAction": code_action},
        "workspace": {"workspaceEdit": {"documentChanges": True}},
    }
    await wire.initialize(client, **ON)
    wire.open(TEXT)
    await pull(wire)
    [fix] = await actions(wire)
    assert fix["isPreferred"] and fix["tags"] == [1] and "command" not in fix
    [change] = fix["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": URI, "version": 1}
    assert change["edits"] == [{"range": WORD, "newText": "length"}]


@pytest.mark.parametrize("code_action", [{}, {"codeActionLiteralSupport": None}])
async def test_an_editor_without_literals_gets_quick_fixes_as_commands(
    wire: Wire, code_action: dict[str, Any]
) -> None:
    client = {
        "textDocument": {"diagnostic": {}, "codeAction": code_action},
        "workspace": {"applyEdit": True},
    }
    await wire.initialize(client, **ON)
    wire.open(TEXT)
    await pull(wire)
    asked = wire.engine.filler.requests
    [fix] = await actions(wire)
    assert fix["command"] == "diffill.perform" and "edit" not in fix
    perform = {"command": fix["command"], "arguments": fix["arguments"]}
    await wire.ask("workspace/executeCommand", perform)
    edit = (await sent(wire, "workspace/applyEdit"))["edit"]
    assert edit == {"changes": {URI: [{"range": WORD, "newText": "length"}]}}
    assert wire.engine.filler.requests == asked, "what it writes is known"
    wire.notify("workspace/didChangeConfiguration", {"settings": {"enable": False}})
    await wire.ask("workspace/executeCommand", perform)
    assert "off" in (await sent(wire, "window/showMessage"))["message"]


async def test_hover_says_how_probable_a_word_is(wire: Wire) -> None:
    await wire.initialize(PULLS, **ON)
    wire.open(TEXT)
    hover = {"textDocument": {"uri": URI}, "position": WORD["start"]}
    shown = await wire.ask("textDocument/hover", hover)
    assert shown["range"] == WORD
    assert shown["contents"]["value"] == "Diffill: lenght 5.0%; others: length 90.0%"
    blank = {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 2}}
    assert await wire.ask("textDocument/hover", blank) is None


LATER = {"textDocument": {"diagnostic": {}, "hover": {"dynamicRegistration": True}}}


@pytest.mark.parametrize(("client", "announced"), [(PULLS, True), (LATER, False)])
async def test_hover_is_announced_at_the_start_to_who_cannot_be_told_later(
    wire: Wire, client: dict[str, Any], announced: bool
) -> None:
    result = await wire.initialize(client)
    assert ("hoverProvider" in result["capabilities"]) is announced
    assert [m for m in wire.sent if m.get("method", "").startswith("client/")] == []


async def test_a_client_hears_of_hover_while_words_are_marked(wire: Wire) -> None:
    """An editor that is told of it may give a key to it, which does nothing while none are."""
    await wire.initialize(LATER, **ON)
    wire.open(TEXT)
    hover = {"textDocument": {"uri": URI}, "position": WORD["start"]}
    assert (await wire.ask("textDocument/hover", hover))["range"] == WORD
    for settings in ({"diagnostics": {"enable": True}}, {"enable": False}, {"enable": True}):
        wire.notify("workspace/didChangeConfiguration", {"settings": settings})
    told = [m for m in wire.sent if m.get("method", "").startswith("client/")]
    assert [m["method"] for m in told] == [
        "client/registerCapability", "client/unregisterCapability", "client/registerCapability",
    ]  # fmt: skip
    (registration,) = told[0]["params"]["registrations"]
    (gone,) = told[1]["params"]["unregisterations"]
    assert registration["method"] == gone["method"] == "textDocument/hover"
    assert registration["id"] == gone["id"]
