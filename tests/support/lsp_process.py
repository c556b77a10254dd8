"""A real server in a process of its own, over stdio or TCP, with every byte of stdout checked.

The client side is bare on purpose: what the server writes to stdout must be JSON-RPC frames and
nothing else, which a forgiving library would hide.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

WAIT_S = 60.0
ROOT = Path(__file__).parents[2]
_HEADER = re.compile(rb"Content-Length: (\d+)\r\nContent-Type: [^\r\n]+\r\n\r\n")


def script(folder: Path, *answers: Mapping[str, Any], **options: Any) -> str:
    """Write a script for the scripted engine; the value for `--engine`."""
    path = folder / "script.json"
    path.write_text(json.dumps({"answers": answers, **options}))
    return f"scripted:{path}"


def command(*options: str) -> list[str]:
    """The command line of a server."""
    return [sys.executable, "-m", "lsp_server", *options]


class Connection:
    """JSON-RPC over a pair of streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.messages: list[dict[str, Any]] = []
        self._next = 0

    def send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": {} if params is None else params})

    def request(self, method: str, params: Any = None) -> int:
        self._next += 1
        self.send({"id": self._next, "method": method, "params": params})
        return self._next

    async def read(self) -> dict[str, Any]:
        """The next message; fails on bytes that are no frame. EOFError at the end."""
        async with asyncio.timeout(WAIT_S):
            try:
                head = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                assert error.partial == b"", f"no JSON-RPC on stdout: {error.partial!r}"
                raise EOFError from None
            match = _HEADER.fullmatch(head)
            assert match, f"no JSON-RPC on stdout: {head!r}"
            message: dict[str, Any] = json.loads(await self._reader.readexactly(int(match[1])))
        self.messages.append(message)
        return message

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """Read on to a message with these fields."""
        while True:
            message = await self.read()
            if all(message.get(key) == value for key, value in wanted.items()):
                return message

    async def response(self, msg_id: int) -> dict[str, Any]:
        while True:
            message = await self.until(id=msg_id)
            if "method" not in message:
                return message

    async def ask(self, method: str, params: Any = None) -> Any:
        response = await self.response(self.request(method, params))
        assert "error" not in response, response
        return response["result"]

    async def rest(self) -> list[dict[str, Any]]:
        """Everything until the server closes its end."""
        found = []
        try:
            while True:
                found.append(await self.read())
        except EOFError:
            return found

    def close(self) -> None:
        """Close our end."""
        self._writer.close()

    # Common sequences

    async def initialize(self, capabilities: dict[str, Any] | None = None) -> Any:
        params = {"processId": None, "rootUri": None, "capabilities": capabilities or {}}
        result = await self.ask("initialize", params)
        self.notify("initialized")
        return result

    def open(self, uri: str, text: str, language: str = "python") -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def ask_inline(self, uri: str, line: int, character: int, *, automatic: bool = True) -> int:
        return self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 2 if automatic else 1},
            },
        )

    async def inline(self, uri: str, line: int, character: int, **options: Any) -> list[str]:
        response = await self.response(self.ask_inline(uri, line, character, **options))
        return [item["insertText"] for item in response["result"]["items"]]


class Server(Connection):
    """A process and the connection to its stdio."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None and process.stdin is not None
        super().__init__(process.stdout, process.stdin)
        self.process = process

    async def ended(self) -> int:
        """The exit code, when the process has ended."""
        async with asyncio.timeout(WAIT_S):
            return await self.process.wait()

    async def stop(self) -> int:
        """`shutdown`, `exit`, and the exit code; nothing but frames may come until then."""
        await self.ask("shutdown")
        self.notify("exit")
        await self.rest()
        return await self.ended()

    async def errors(self) -> str:
        """What was written to stderr, when the process has ended."""
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def error_line(self, containing: str) -> str:
        """The next line of stderr that contains a text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(WAIT_S):
            while line := (await self.process.stderr.readline()).decode():
                if containing in line:
                    return line
        raise AssertionError(f"the server never wrote {containing!r}")


@asynccontextmanager
async def running(
    *command_line: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Server]:
    """A server process, killed at the end if it is still there."""
    process = await asyncio.create_subprocess_exec(
        *command_line,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=None if env is None else dict(env),
        limit=1 << 26,
    )
    server = Server(process)
    try:
        yield server
    finally:
        server.close()
        if process.returncode is None:
            process.kill()
        await process.communicate()
