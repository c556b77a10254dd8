"""Bytes that are no UTF-8, as Neovim sends those of a Latin-1 file: they keep their place and stay.

The client here holds bytes, each of which is one unit to it, in any encoding of positions.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.lsp_wire import URI, Wire, answer

SCRIPT = (
    answer("foo()", before='s = "caf\x1a" + '),
    answer("z()", before='s = "caf\x1a" + ('),
    answer("there", before="plain = "),
)
LINE = b's = "caf\xe9" + '
TEXT = LINE + b"\nplain = \n"
ENCODINGS = pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])


def send(wire: Wire, method: str, params: dict[str, Any]) -> None:
    """A notification with characters up to U+00FF as bytes."""
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    wire.server.protocol.handle_body(json.dumps(message, ensure_ascii=False).encode("latin-1"))


async def opened(wire: Wire, encoding: str) -> None:
    await wire.initialize({"general": {"positionEncodings": [encoding]}})
    assert wire.server.session.encoding == encoding
    text = TEXT.decode("latin-1")
    item = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    send(wire, "textDocument/didOpen", {"textDocument": item})


def accepted(line: bytes, item: dict[str, Any]) -> bytes:
    """The client's line after it took an item."""
    start, end = (item["range"][side]["character"] for side in ("start", "end"))
    return line[:start] + item["insertText"].encode() + line[end:]


async def items(wire: Wire, line: int, character: int, **context: Any) -> list[dict[str, Any]]:
    response = await wire.response(wire.ask_inline(line, character, **context))
    found: list[dict[str, Any]] = response["result"]["items"]
    return found


@ENCODINGS
async def test_what_is_taken_leaves_them_as_they_are(wire: Wire, encoding: str) -> None:
    await opened(wire, encoding)
    [item] = await items(wire, 0, len(LINE))
    assert accepted(LINE, item) == LINE + b"foo()"
    told = await wire.ask("diffill/confidence", {"textDocument": {"uri": URI}})
    assert [one["insertText"] for one in told["items"]] == [item["insertText"]]


@ENCODINGS
async def test_edits_behind_them_are_made_where_the_client_makes_them(
    wire: Wire, encoding: str
) -> None:
    await opened(wire, encoding)
    wire.type("()", 0, len(LINE), 2)
    assert wire.server.session.documents[URI].data == TEXT.replace(LINE, LINE + b"()").replace(
        b"\xe9", b"\x1a"
    )
    [item] = await items(wire, 0, len(LINE) + 1)
    assert accepted(LINE + b"()", item) == LINE + b"(z())"


async def test_other_lines_are_replaced_whole(wire: Wire) -> None:
    await opened(wire, "utf-8")
    [item] = await items(wire, 1, 8)
    assert item["insertText"] == "plain = there"


async def test_with_a_selected_entry_nothing_is_offered_beside_them(wire: Wire) -> None:
    await opened(wire, "utf-8")
    end = {"line": 0, "character": len(LINE)}
    selected = {"range": {"start": end, "end": end}, "text": "("}
    assert await items(wire, 0, len(LINE), selectedCompletionInfo=selected) == []
    explained = await wire.ask("diffill/explainLast")
    assert explained["reason"] == "notExpressible" and "UTF-8" in explained["message"]


async def test_they_are_not_rewritten(wire: Wire) -> None:
    await opened(wire, "utf-8")
    where = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": len(LINE)}}
    params = {"textDocument": {"uri": URI}, "range": where}
    refused = await wire.response(wire.request("diffill/rewrite", params))
    assert "no UTF-8" in refused["error"]["message"]
    asked = {**params, "context": {"diagnostics": []}}
    kinds = [one.get("kind") for one in await wire.ask("textDocument/codeAction", asked)]
    assert not [kind for kind in kinds if kind and kind.startswith("refactor.rewrite")]
    assert wire.engine.filler.requests == 0


async def test_a_control_character_is_no_text_in_any_other_message(wire: Wire) -> None:
    """Only where bytes were replaced is one let through."""
    await wire.initialize()
    wire.server.protocol.handle_body(b'{"jsonrpc": "2.0", "id": 5, "method": "x\x1a"}')
    assert wire.sent[-1]["error"]["code"] == -32700
