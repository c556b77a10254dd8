"""Clients of other versions of the protocol, and such as say less than it asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from tests.support.lsp_wire import URI, WAIT_S, Wire, answer

SCRIPT = [answer("a + b", before="return ")]
MANY = 2**32 - 1


def nested(path: str, value: Any) -> dict[str, Any]:
    """An object with one value, at a path."""
    for key in reversed(path.split("/")):
        value = {key: value}
    found: dict[str, Any] = value
    return found


@pytest.mark.parametrize(
    ("path", "value", "left_out"),
    [
        ("workspace/symbol/symbolKind/valueSet", [1, 27, 28], "valueSet[1], "),
        ("textDocument/publishDiagnostics/tagSupport/valueSet", [1, 2, 3], "valueSet[2]"),
        ("textDocument/codeAction/tagSupport/valueSet", [1, 2], "tagSupport"),
        ("workspace/workspaceEdit/resourceOperations", ["create", "foo"], "resourceOperations[1]"),
        ("textDocument/rename/prepareSupportDefaultBehavior", 2, "prepareSupportDefaultBehavior"),
        ("textDocument/semanticTokens", {}, "textDocument.semanticTokens"),
        ("notebookDocument", {}, "capabilities.notebookDocument"),
        ("textDocument", 5, "capabilities.textDocument"),
    ],
)
async def test_capabilities_that_nobody_knows_are_left_out(
    wire: Wire, caplog: pytest.LogCaptureFixture, path: str, value: Any, left_out: str
) -> None:
    result = await wire.initialize(nested(path, value))
    assert result["capabilities"]["inlineCompletionProvider"] == {}
    assert f"left out of initialize: params.capabilities.{path.partition('/')[0]}" in caplog.text
    assert left_out in caplog.text


async def test_what_stands_beside_the_unknown_is_kept(wire: Wire) -> None:
    item = {
        "documentationFormat": ["html", "markdown", "rtf"],
        "insertTextModeSupport": {"valueSet": [1, 2, 3]},
    }
    capabilities = nested("textDocument/completion/completionItem", item)
    await wire.initialize({**capabilities, "general": {"positionEncodings": ["x", "utf-8"]}})
    client = wire.server.client_capabilities
    assert client.text_document is not None and client.text_document.completion is not None
    kept = client.text_document.completion.completion_item
    assert kept is not None and kept.insert_text_mode_support is not None
    assert kept.documentation_format == (types.MarkupKind.Markdown,)
    modes = (types.InsertTextMode.AsIs, types.InsertTextMode.AdjustIndentation)
    assert kept.insert_text_mode_support.value_set == modes
    assert wire.server.session.encoding == "utf-8"


@pytest.mark.parametrize(
    "odd",
    [
        {"clientInfo": {}},
        {"clientInfo": "vi"},
        {"trace": "compact"},
        {"processId": "mine"},
        {"locale": 5},
        {"rootUri": "file://[bad"},
        {"rootUri": 5, "rootPath": ["a"]},
        {"rootPath": "/a\ud800"},
        {"rootUri": "file:///a\ud800"},
        {"workspaceFolders": 5},
        {"workspaceFolders": [None, {"name": "x"}, {"uri": "file://[bad", "name": "x"}]},
        {"capabilities": None},
        {"capabilities": []},
    ],
)
async def test_other_odd_params_of_initialize(wire: Wire, odd: dict[str, Any]) -> None:
    params = {"processId": None, "rootUri": None, "capabilities": {}, **odd}
    await wire.ask("initialize", params)
    wire.notify("initialized")
    wire.open("return ")
    assert await wire.inline(0, 7) == ["return a + b"]


async def test_a_folder_without_a_name_is_a_folder(wire: Wire, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n")
    await wire.initialize(workspaceFolders=[{"uri": tmp_path.as_uri()}, None])
    uri = (tmp_path / "a.py").as_uri()
    wire.open("return ", uri=uri)
    assert await wire.inline(0, 7, uri=uri) == []
    assert await wire.reason() == "ignoredFile"
    removed = [{"uri": tmp_path.as_uri()}]
    wire.notify("workspace/didChangeWorkspaceFolders", {"event": {"removed": removed}})
    assert wire.server.session.folders == ()
    wire.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [*removed, 5]}})
    assert wire.server.session.folders == (tmp_path.as_uri(),)


async def test_initialize_without_params_says_what_is_wrong(wire: Wire) -> None:
    response = await wire.response(wire.request("initialize"))
    assert response["error"]["code"] == -32602
    assert response["error"]["message"] == "initialize: cannot read params"


async def test_other_notifications_that_say_less(wire: Wire, tmp_path: Path) -> None:
    await wire.initialize(rootUri=tmp_path.as_uri())
    uri = (tmp_path / "a.py").as_uri()
    wire.open("return ", uri=uri)
    assert await wire.inline(0, 7, uri=uri) == ["return a + b"]
    (tmp_path / ".gitignore").write_text("*.py\n")
    changed = {"uri": (tmp_path / ".gitignore").as_uri(), "type": 9}
    wire.notify("workspace/didChangeWatchedFiles", {"changes": [changed, None]})
    assert await wire.inline(0, 7, uri=uri) == []


# Code actions

R = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}


@pytest.mark.parametrize(
    "diagnostic",
    [
        {"severity": 0},
        {"severity": 5},
        {"tags": [3]},
        {"message": None},
        {"relatedInformation": [{"location": None, "message": "x"}]},
        {"range": {"start": {"line": 0, "character": -1}, "end": {"line": 0, "character": 0}}},
        {"range": None},
    ],
)
async def test_diagnostics_of_other_servers_are_not_looked_at(
    wire: Wire, diagnostic: dict[str, Any]
) -> None:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open("___\n")
    context = {"diagnostics": [{"range": R, "message": "m", **diagnostic}], "triggerKind": 3}
    params = {"textDocument": {"uri": URI}, "range": R, "context": context}
    assert await wire.ask("textDocument/codeAction", params)


@pytest.mark.parametrize(
    ("context", "count"),
    [(None, 4), ({"only": None}, 4), ({"only": ["refactor", None]}, 4), ({"only": ["source"]}, 0)],
)
async def test_the_kinds_that_are_wanted_are(wire: Wire, context: Any, count: int) -> None:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open("___\n")
    params = {"textDocument": {"uri": URI}, "range": R, "context": context}
    assert len(await wire.ask("textDocument/codeAction", params)) == count


async def test_a_range_to_the_end_of_any_document(wire: Wire) -> None:
    await wire.initialize({"workspace": {"applyEdit": True}})
    wire.open("___\n")
    everything = {"start": R["start"], "end": {"line": MANY, "character": MANY}}
    params = {"textDocument": {"uri": URI}, "range": everything, "context": {}}
    assert len(await wire.ask("textDocument/codeAction", params)) == 4


async def test_a_request_that_cannot_be_read_says_where(wire: Wire) -> None:
    await wire.initialize()
    wire.open("return ")
    params = {"textDocument": {"uri": URI}, "position": {"line": 0}}
    response = await wire.response(wire.request("textDocument/completion", params))
    assert response["error"]["message"].endswith("cannot read params.position.character")


# Responses


@pytest.fixture
def told(wire: Wire, caplog: pytest.LogCaptureFixture) -> Iterator[Wire]:
    caplog.set_level(logging.WARNING)
    yield wire
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize("error", [{}, {"error": None}])
async def test_a_null_error_is_none(told: Wire, error: dict[str, None]) -> None:
    wire = told
    await wire.initialize()
    params = types.ConfigurationParams([types.ConfigurationItem(section="diffill")])
    asked = asyncio.ensure_future(wire.server.workspace_configuration_async(params))
    await asyncio.sleep(0)
    [request] = [m for m in wire.sent if m.get("method") == "workspace/configuration"]
    wire.message({"id": request["id"], "result": [{"enable": False}], **error})
    async with asyncio.timeout(WAIT_S):
        assert list(await asked) == [{"enable": False}]


@pytest.mark.parametrize("rest", [{}, {"error": None}, {"result": None}])
async def test_a_response_without_a_result_has_none(told: Wire, rest: dict[str, None]) -> None:
    wire = told
    await wire.initialize()
    created = asyncio.ensure_future(wire.server.work_done_progress.create_async("load"))
    await asyncio.sleep(0)
    [request] = [m for m in wire.sent if m.get("method") == "window/workDoneProgress/create"]
    wire.message({"id": request["id"], **rest})
    async with asyncio.timeout(WAIT_S):
        await created
