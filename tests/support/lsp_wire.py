"""A server in this process, spoken to by JSON-RPC messages: what it writes is kept as a list.

Messages go through the same code as on a real stream (`handle_body`), so the order of events is in
the test's hands and nothing sleeps.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

from lsp_server.engine.engine import EngineCandidate
from lsp_server.engine.scripted import ScriptedAnswer, ScriptedEngine, ScriptedFiller
from lsp_server.server import DiffillServer, create_server

WAIT_S = 20.0
URI = "file:///work/a.py"


class Wire:
    """The client's end."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.server: DiffillServer = create_server(engine)
        self.server._stop_event = asyncio.Event()  # type: ignore[assignment]
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self._changed = asyncio.Event()
        self._next = 0
        self.server.protocol.set_writer(self)

    # The server's writer

    def write(self, data: bytes) -> None:
        if self.closed:
            raise ValueError("write to closed file")
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", head)
        assert length is not None and int(length[1]) == len(body)
        self.sent.append(json.loads(body))
        self._changed.set()

    def close(self) -> None:
        self.closed = True

    # Messages

    def message(self, message: dict[str, Any]) -> None:
        """Hand over a message as it would be read from a stream."""
        text = json.dumps({"jsonrpc": "2.0", **message})
        self.server.protocol.handle_body(text.encode())

    def notify(self, method: str, params: Any = None) -> None:
        self.message({"method": method, "params": {} if params is None else params})

    def request(self, method: str, params: Any = None) -> int:
        """Send a request; its id."""
        self._next += 1
        message = {"id": self._next, "method": method}
        self.message(message if params is None else {**message, "params": params})
        return self._next

    def cancel(self, msg_id: int) -> None:
        self.notify("$/cancelRequest", {"id": msg_id})

    async def response(self, msg_id: int) -> dict[str, Any]:
        """The response to a request, when it is there."""
        async with asyncio.timeout(WAIT_S):
            while True:
                for message in self.sent:
                    if message.get("id") == msg_id and "method" not in message:
                        return message
                self._changed.clear()
                await self._changed.wait()

    async def ask(self, method: str, params: Any = None) -> Any:
        """The result of a request; fails on an error."""
        response = await self.response(self.request(method, params))
        assert "error" not in response, response
        return response["result"]

    # Common sequences

    async def initialize(self, capabilities: dict[str, Any] | None = None, **params: Any) -> Any:
        result = await self.ask(
            "initialize",
            {"processId": None, "rootUri": None, "capabilities": capabilities or {}, **params},
        )
        self.notify("initialized")
        return result

    def open(
        self, text: str, *, uri: str = URI, language: str = "python", version: int = 1
    ) -> None:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, text: str, line: int, character: int, version: int, uri: str = URI) -> None:
        """Insert text at a position."""
        where = {"line": line, "character": character}
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": uri, "version": version},
                "contentChanges": [{"range": {"start": where, "end": where}, "text": text}],
            },
        )

    def ask_inline(
        self, line: int, character: int, *, uri: str = URI, automatic: bool = True, **context: Any
    ) -> int:
        """Send an inlineCompletion request; its id."""
        return self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": uri},
                "position": {"line": line, "character": character},
                "context": {"triggerKind": 2 if automatic else 1, **context},
            },
        )

    async def inline(self, line: int, character: int, **options: Any) -> list[str]:
        """The texts of the inline items at a position."""
        response = await self.response(self.ask_inline(line, character, **options))
        return [item["insertText"] for item in response["result"]["items"]]

    async def reason(self) -> str | None:
        """Why the last request showed nothing."""
        explained = await self.ask("diffill/explainLast")
        reason: str | None = explained["reason"]
        return reason


def answer(*texts: str, score: float = 0.9, parses: bool = True, **rule: Any) -> ScriptedAnswer:
    """A rule of a script."""
    candidates = tuple(EngineCandidate(text, score, parses) for text in texts)
    return ScriptedAnswer(candidates=candidates, **rule)


def scripted(answers: Sequence[ScriptedAnswer] = (), *, gated: bool = False) -> ScriptedEngine:
    """An engine with a script."""
    return ScriptedEngine(ScriptedFiller(tuple(answers), gated=gated))
