"""The real server with the bundled model: a hole is filled, and the context is reused."""

from __future__ import annotations

import pytest

from diffusion.pretrained import bundled_model_dir
from tests.support.lsp_process import Server, command, running

WEIGHTS = bundled_model_dir() / "model.safetensors"
pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"{WEIGHTS.name} of the model is not there"),
]
URI = "file:///work/shapes.py"
TEXT = '''\
class Rectangle:
    """A rectangle by its two sides."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height

    def area(self) -> float:
        return self.width * self.height

    def perimeter(self) -> float:
        return 

    def scaled(self, factor: float) -> "Rectangle":
        return Rectangle(self.width * factor, self.height * factor)
'''  # noqa: W291
LINE = TEXT.split("\n").index("        return ")
COLUMN = len("        return ")


async def start(server: Server) -> None:
    await server.ask(
        "initialize",
        {
            "processId": None,
            "rootUri": None,
            "capabilities": {"experimental": {"diffillStatus": True}},
            "initializationOptions": {"inline": {"minConfidence": 0, "maxLatencyMs": 20_000}},
        },
    )
    server.notify("initialized")
    server.open(URI, TEXT)


async def test_a_hole_is_filled_and_the_next_answer_reuses_the_context() -> None:
    async with running(*command("--stdio")) as server:
        await start(server)
        items = await server.inline(URI, LINE, COLUMN, automatic=False)
        trace = await server.ask("diffill/explainLast")
        assert items, trace["message"]
        assert all(item.startswith("        return ") for item in items)
        assert all(len(item.strip()) > len("return") for item in items)
        assert trace["hole"]["start"] == TEXT.index("return \n") + len("return ")
        assert all(0 < candidate["score"] <= 1 for candidate in trace["candidates"])
        # Typing on the line changes pins, never the context.
        where = {"line": LINE, "character": COLUMN}
        change = {"range": {"start": where, "end": where}, "text": "2 * ("}
        server.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [change]},
        )
        await server.inline(URI, LINE, COLUMN + len("2 * ("), automatic=False)
        trace = await server.ask("diffill/explainLast")
        assert trace["cacheHit"] or trace["contextCached"], trace
        status = await server.ask("diffill/status")
        assert (status["kind"], status["engine"]) == ("Normal", "ready")
        assert await server.stop() == 0
