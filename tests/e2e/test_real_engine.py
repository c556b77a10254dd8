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
FIVE_MEGABYTES = "x = 'aaaaaaaaaaaaaaaaaaaaaaaaa'\n" * 156_250
UNUSUAL = {
    "empty": (0, 0, ""),
    "unclosed": (0, 9, "x = [1, \n"),
    "crlf": (1, 0, "if a:\r\n\r\nb\r\n"),
    "tabs": (1, 2, "\tif b:\n\t\t\n  c\n"),
    "surrogate": (0, 5, "a = '\ud83d'\n"),
    "long": (0, 4, "def f(x):\n" * 3000),
    "broken": (2, 1, "))))\n((((\n}}}}\n"),
    "return": (0, 3, "x =\ry = 2\r"),
    "replaced": (0, 4, "\ufffdPNG\r\n\x1a\n\ufffd\ufffd\x01\x02IHDR\n"),
    "mark": (0, 8, "\ufeffreturn \n"),
    "past the line end": (1, 999, TEXT),
}
# Name -> language, cursor, text, and the reason for the empty answer.
REFUSED = {
    "nul": ("python", 0, 4, "x = \0\n", "binary"),
    "picture": ("python", 0, 0, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
    "five megabytes": ("python", 9, 4, FIVE_MEGABYTES, "fileTooLarge"),
    "below": ("python", 2, 0, "x = \n", "cursorOutside"),
    "cobol": ("cobol", 0, 4, "x = \n", "languageUnknown"),
    "nothing": ("", 0, 4, "x = \n", "languageUnknown"),
    "one line": ("python", 0, 4, "x = [" + "1, " * 1000 + "]\n", "lineTooLong"),
}
DAMAGED = [
    (part, damage)
    for part in ("config.json", "tokenizer.json", "model.safetensors")
    for damage in ("missing", "truncated")
]


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
            uri = f"untitled:{name}"
            server.open(uri, text)
            items = await server.inline(uri, line, column, automatic=False)
            trace = await server.ask("diffill/explainLast")
            assert items or trace["reason"] in ("noCandidate", "allFiltered"), (name, trace)
        for name, (language, line, column, text, reason) in REFUSED.items():
            uri = f"untitled:{name}"
            server.open(uri, text, language)
            assert await server.inline(uri, line, column, automatic=False) == []
            trace = await server.ask("diffill/explainLast")
            assert trace["reason"] == reason and trace["message"], (name, trace)
        status = await server.ask("diffill/status")
        assert (status["engine"], status["model"]) == ("ready", tiny_model_dir.name)
        assert await server.stop() == 0


async def test_exit_while_the_model_loads(tiny_model_dir: Path) -> None:
    async with running(*command("--stdio")) as server:
        await start(server, tiny_model_dir)
        loading = await server.until(method="diffill/statusDidChange")
        assert loading["params"]["kind"] == "Loading"
        assert await server.stop() == 0


async def explained(model: Path, said: str) -> None:
    """A server with this model gives an empty answer, and says why once, with the fix."""
    async with running(*command("--stdio")) as server:
        await start(server, model)
        assert await server.inline(URI, 1, 11) == []
        trace = await server.ask("diffill/explainLast")
        assert trace["reason"] == "modelUnavailable"
        assert said in trace["message"]
        shown = [m for m in server.messages if m.get("method") == "window/showMessage"]
        assert len(shown) == 1 and said in shown[0]["params"]["message"]
        assert await server.stop() == 0


async def test_a_model_that_is_not_there_is_explained(tmp_path: Path) -> None:
    await explained(tmp_path / "model", str(tmp_path / "model"))


@pytest.mark.parametrize(("part", "damage"), DAMAGED)
async def test_a_model_that_cannot_be_loaded_is_explained(
    tiny_model_dir: Path, tmp_path: Path, part: str, damage: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    damaged = folder / part
    if damage == "truncated":
        damaged.write_bytes(damaged.read_bytes()[:1000])
    else:
        damaged.unlink()
    await explained(folder, str(damaged))
