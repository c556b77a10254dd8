"""Messages that are none, and such as only look like others: who is answered, and how."""

from __future__ import annotations

import asyncio
import json

import pytest
from pygls.exceptions import JsonRpcException

from tests.support.lsp_wire import URI, WAIT_S, Wire, answer

SCRIPT = [answer("a + b")]
TEXT = "def add(a, b):\n    return \n"


@pytest.mark.parametrize(
    ("body", "msg_id", "code"),
    [
        (b"{bad json", None, -32700),
        (b"", None, -32700),
        (b"\xff\xfe{", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b'{"jsonrpc": "2.0", "id": 1' + b"0" * 5000 + b"}", None, -32700),
        (b"[]", None, -32600),
        (b'[{"jsonrpc": "2.0", "id": 7, "method": "diffill/status"}]', None, -32600),
        (b"null", None, -32600),
        (b"5", None, -32600),
        (b'{"jsonrpc": "2.0"}', None, -32600),
        (b'{"id": 88, "method": "diffill/status"}', 88, -32600),
        (b'{"jsonrpc": "1.0", "id": "a", "method": "diffill/status"}', "a", -32600),
        (b'{"method": "initialized"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 9, "method": 5}', 9, -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "diffill/status"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": [1], "method": "diffill/status"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "diffill/status"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": 90, "method": "test/unknown"}', 90, -32601),
    ],
)
async def test_what_is_no_message_is_answered(
    wire: Wire, body: bytes, msg_id: int | str | None, code: int
) -> None:
    await wire.initialize()
    before = len(wire.sent)
    wire.server.protocol.handle_body(body)
    [response] = wire.sent[before:]
    assert (response["id"], response["error"]["code"]) == (msg_id, code)
    assert response["error"]["message"]
    wire.open(TEXT)
    assert await wire.inline(1, 11) == ["    return a + b"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": 1, "result": null}',
        b'{"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "no JSON"}}',
        b'{"jsonrpc": "2.0", "id": [], "error": {"code": 1}}',
        b'{"jsonrpc": "2.0", "error": 5}',
        b'{"jsonrpc": "2.0", "id": 5}',
        b'{"jsonrpc": "2.0", "method": "test/unknown"}',
        b'{"jsonrpc": "2.0", "method": "textDocument/didClose"}',
        b'{"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": []}}',
    ],
)
async def test_responses_and_notifications_are_never_answered(wire: Wire, body: bytes) -> None:
    await wire.initialize()
    before = len(wire.sent)
    wire.server.protocol.handle_body(body)
    assert wire.sent[before:] == []


async def test_a_response_without_jsonrpc_ends_the_wait_for_it(wire: Wire) -> None:
    await wire.initialize()
    asked = asyncio.ensure_future(wire.server.work_done_progress.create_async("load"))
    await asyncio.sleep(0)
    [request] = [m for m in wire.sent if m.get("method") == "window/workDoneProgress/create"]
    wire.server.protocol.handle_body(b'{"id": "%s", "result": null}' % request["id"].encode())
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(JsonRpcException):
            await asked


async def test_an_id_may_be_written_as_a_fraction(wire: Wire) -> None:
    await wire.initialize()
    body = b'{"jsonrpc": "2.0", "id": 12.0, "method": "diffill/status"}'
    wire.server.protocol.handle_body(body)
    assert (await wire.response(12))["result"]["kind"]


async def test_an_object_inside_a_message_is_no_message(wire: Wire) -> None:
    """It may say "jsonrpc", as data of the user's may."""
    await wire.initialize()
    inner = b'{"jsonrpc": "2.0", "id": 4, "method": "textDocument/hover"}'
    wire.server.protocol.handle_body(
        b'{"jsonrpc": "2.0", "id": 3, "method": "diffill/status", "params": {"x": %b}}' % inner
    )
    assert (await wire.response(3))["result"]["kind"]
    assert not [message for message in wire.sent if message.get("id") == 4]


async def test_bytes_that_are_no_utf8_cost_no_change(wire: Wire) -> None:
    await wire.initialize()
    wire.open("a = 1\nb = 2\n")
    start = {"line": 0, "character": 0}
    for version, line in ((2, b"# \xff\xe2\x82 end"), (3, b"# whole")):
        params = {
            "textDocument": {"uri": URI, "version": version},
            "contentChanges": [{"range": {"start": start, "end": start}, "text": "LINE\n"}],
        }
        message = {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": params}
        wire.server.protocol.handle_body(json.dumps(message).encode().replace(b"LINE", line))
    text = wire.server.session.documents[URI].data.decode()
    assert text == "# whole\n# \x1a\x1a\x1a end\na = 1\nb = 2\n"


async def test_half_a_pair_of_surrogates_stays_one_character(wire: Wire) -> None:
    """Neovim sends it as three bytes, a character to both sides; and a mark may stand first."""
    await wire.initialize()
    item = {"uri": URI, "languageId": "python", "version": 1, "text": "# HALF\n"}
    message = {"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": item}}
    half = b"\xed\xa0\xbd"
    body = b"\xef\xbb\xbf" + json.dumps(message).encode().replace(b"HALF", half)
    wire.server.protocol.handle_body(body)
    assert wire.server.session.documents[URI].data == b"# " + half + b"\n"
