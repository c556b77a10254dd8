"""The real server with a real, untrained model: loading, odd text, damage, ending."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.lsp_process import Server, command, running

pytestmark = pytest.mark.slow
TEXT = "def add(a, b):\n    return \n"
URI = "file:///work/a.py"
UNUSUAL = {
    "empty": (0, 0, ""),
    "unclosed": (0, 9, "x = [1, \n"),
    "crlf": (1, 0, "if a:\r\n\r\nb\r\n"),
    "tabs": (1, 2, "\tif b:\n\t\t\n  c\n"),
    "surrogate": (0, 5, "a = '\ud83d'\n"),
    "long": (0, 4, "def f(x):\n" * 3000),
    "broken": (2, 1, "))))\n((((\n}}}}\n"),
    "return": (0, 3, "x =\ry = 2\r"),
}


async def start(server: Server, model: Path) -> None:
    options: dict[str, Any] = {
        "model": {"path": str(model)},
        "inline": {"minConfidence": 0, "maxLatencyMs": 20_000},
    }
    await server.ask(
        "initialize",
        {
            "processId": None,
            "rootUri": None,
            "capabilities": {"experimental": {"diffillStatus": True}},
            "initializationOptions": options,
        },
    )
    server.notify("initialized")
    server.open(URI, TEXT)


async def test_text_of_all_kinds_is_answered_or_explained(tiny_model_dir: Path) -> None:
    async with running(*command("--stdio")) as server:
        await start(server, tiny_model_dir)
        for name, (line, column, text) in UNUSUAL.items():
            uri = f"file:///work/{name}.py"
            server.open(uri, text)
            items = await server.inline(uri, line, column, automatic=False)
            trace = await server.ask("diffill/explainLast")
            assert items or trace["reason"] in ("noCandidate", "allFiltered"), (name, trace)
        status = await server.ask("diffill/status")
        assert (status["engine"], status["model"]) == ("ready", tiny_model_dir.name)
        assert await server.stop() == 0


async def test_exit_while_the_model_loads(tiny_model_dir: Path) -> None:
    async with running(*command("--stdio")) as server:
        await start(server, tiny_model_dir)
        loading = await server.until(method="diffill/statusDidChange")
        assert loading["params"]["kind"] == "Loading"
        assert await server.stop() == 0


@pytest.mark.parametrize("damage", ["missing", "truncated"])
async def test_a_model_that_cannot_be_loaded_is_explained(
    tiny_model_dir: Path, tmp_path: Path, damage: str
) -> None:
    folder = tmp_path / "model"
    if damage == "truncated":
        shutil.copytree(tiny_model_dir, folder)
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    async with running(*command("--stdio")) as server:
        await start(server, folder)
        assert await server.inline(URI, 1, 11) == []
        trace = await server.ask("diffill/explainLast")
        assert trace["reason"] == "modelUnavailable"
        assert str(folder) in trace["message"]
        assert await server.stop() == 0
