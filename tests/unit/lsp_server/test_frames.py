"""Messages out of a stream: every header that HTTP allows, and an error for what is none."""

from __future__ import annotations

import asyncio
import logging

import pytest

from lsp_server.errors import FrameError
from lsp_server.frames import read_body

BODY = '{"é": 1}'.encode()


def stream(data: bytes, limit: int = 1 << 16) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit)
    reader.feed_data(data)
    reader.feed_eof()
    return reader


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: %d\r\n\r\n",
        b"content-length: %d\r\n\r\n",
        b"CONTENT-LENGTH:%d\r\n\r\n",
        b"Content-Length: \t%d \t\r\n\r\n",
        b"Content-Length : %d\r\n\r\n",
        b"Content-Length: %d\n\n",
        b"\r\n\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
        b"content-type: a\r\nX-Other:\r\nContent-Length: %d\r\n\r\n",
        b"Content-Length: %d\r\nContent-Length: 1\r\n\r\n",  # the first one counts
    ],
)
async def test_every_way_to_write_the_header(header: bytes) -> None:
    frame = header % len(BODY) + BODY
    reader = stream(frame + frame)
    assert [await read_body(reader) for _ in range(3)] == [BODY, BODY, None]


async def test_an_empty_body_is_a_body() -> None:
    assert await read_body(stream(b"Content-Length: 0\r\n\r\n")) == b""


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"Content-Type: a\r\n\r\n{}", "no Content-Length"),
        (b"Content-Length: five\r\n\r\n", "no length"),
        (b"Content-Length: -5\r\n\r\n", "no length"),
        (b"Content-Length: 99999999999999\r\n\r\n", "no length"),
        (b"Content-Length: 1e3\r\n\r\n", "no length"),
        (b'{"jsonrpc": "2.0", "id": 1}\r\n\r\n', "no field"),
        (b"hello\r\n", "no field"),
        (b"X: " + b"x" * 2000, "never ends"),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", "HTTP"),
        (b"Content-Length: 2\r\nHost: localhost\r\n\r\n{}", "HTTP"),
        (b"Content-Length: 2\r\norigin: null\r\n\r\n{}", "HTTP"),
    ],
)
async def test_what_is_no_header_is_an_error_that_quotes_nothing(data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says) as raised:
        await read_body(stream(data, limit=1000))
    assert "send `Content-Length: N`" in str(raised.value)
    assert "jsonrpc" not in str(raised.value) and "hello" not in str(raised.value)


@pytest.mark.parametrize("data", [b"Content-Length: 9\r\n\r\n{}", b"Content-Length: 9\r\n"])
async def test_a_stream_that_ends_inside_a_message_has_ended(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert await read_body(stream(data)) is None
    assert ("inside a message" in caplog.text) is data.endswith(b"{}")
