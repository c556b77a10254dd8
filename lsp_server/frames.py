"""Messages out of a stream: header fields, an empty line, a body of the length they say.

As pygls reads them, but like HTTP's, which the specification means: names of fields in any case,
blanks around values, lines that end in LF alone. Invariants: what no reader could make sense of is
an error that says what is missing, never silence; an HTTP request, which a web page can send to a
port of this machine, is never taken for a message; no error quotes the stream.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable
from typing import Protocol

from lsp_server.errors import FrameError

logger = logging.getLogger(__name__)
MOST_BYTES = 1 << 30
"""No message is as long; a number beyond it is no length."""
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:(.*)", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,10}")
_HTTP_REQUEST = re.compile(rb"[A-Z]+ .* HTTP/[0-9]")
_HTTP_FIELDS = (b"host", b"origin")
_FIX = "send `Content-Length: N`, an empty line, and N bytes of JSON; editors do, as LSP says"


class Reader(Protocol):
    """Where bytes come from. `readexactly` may give fewer at the end, or raise EOFError."""

    def readline(self) -> Awaitable[bytes]: ...

    def readexactly(self, n: int, /) -> Awaitable[bytes]: ...


async def read_body(reader: Reader) -> bytes | None:
    """The body of the next message, None at the end of the stream.

    Raises FrameError where no message can be read any more.
    """
    length: int | None = None
    begun = False
    while True:
        try:
            line = await reader.readline()
        except ValueError as error:  # asyncio's, for a line without an end
            raise FrameError("a line of a message's header never ends", fix=_FIX) from error
        if not line:
            return None
        if not line.strip():
            if begun:
                break
            continue  # between messages; some clients end a body with a line end
        begun = True
        name, value = _field(line)
        if name == b"content-length" and length is None:
            length = _length(value)
    if length is None:
        raise FrameError("a message's header has no Content-Length", fix=_FIX)
    try:
        body = await reader.readexactly(length)
    except EOFError:
        body = b""
    if len(body) < length:
        logger.warning("the stream ended inside a message")
        return None
    return body


def _field(line: bytes) -> tuple[bytes, bytes]:
    """The name of a header field, in lower case, and its value."""
    found = _FIELD.fullmatch(line.strip())
    name = found[1].lower() if found else b""
    if name in _HTTP_FIELDS or _HTTP_REQUEST.match(line):
        raise FrameError("an HTTP request came, which no editor sends", fix=_FIX)
    if found is None:
        raise FrameError("a message's header has a line that is no field", fix=_FIX)
    return name, found[2].strip()


def _length(value: bytes) -> int:
    if not _LENGTH.fullmatch(value) or int(value) > MOST_BYTES:
        raise FrameError("the Content-Length of a message is no length", fix=_FIX)
    return int(value)
