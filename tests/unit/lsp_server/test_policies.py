"""What settings and partial acceptance do to requests, through the whole server."""

from __future__ import annotations

import pytest

from lsp_server.engine.engine import EngineCandidate
from lsp_server.engine.scripted import ScriptedAnswer
from tests.support.lsp_wire import Wire, answer

SCRIPT = (answer("a + b", "a - b", before="return "),)


async def open_drawn(wire: Wire, drawn: str) -> tuple[int, int]:
    """Initialize, open the document without its `¦`, and give the position of the mark."""
    await wire.initialize()
    before, _, after = drawn.partition("¦")
    wire.open(before + after)
    return before.count("\n"), len(before.rpartition("\n")[2])


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "accepted",
    [
        ["total", " = sum", "(x", ")", "\n        ", "return", " total"],  # word by word
        ["total = sum(x)", "\n        return total"],  # line by line
        ["total = sum(x)\n", "        return total"],
    ],
)
async def test_accepting_by_word_or_line_asks_the_engine_once(
    wire: Wire, accepted: list[str], line_end: str
) -> None:
    fill = "total = sum(x)\n        return total"
    assert "".join(accepted) == fill
    wire.engine.filler.answers = (answer(fill, before="if x:\n        "),)
    if line_end == "\r\n":
        wire.engine.filler.answers = (answer(fill, before="if x:\r\n        "),)
    drawn = "def f(x):\n    if x:\n        ¦\n".replace("\n", line_end)
    line, character = await open_drawn(wire, drawn)
    text = "        " + fill.replace("\n", line_end)
    assert await wire.inline(line, character) == [text]
    for version, part in enumerate(accepted[:-1], start=2):
        wire.type(part.replace("\n", line_end), line, character, version)
        line += part.count("\n")
        character = len(part.rpartition("\n")[2]) + (0 if "\n" in part else character)
        (rest,) = await wire.inline(line, character)
        assert rest == text.split(line_end, line - 2)[-1]
    assert wire.engine.filler.requests == 1


@pytest.mark.parametrize(
    ("check", "sound", "shown"),
    [
        ("rank", ("b",), ["y = b"]),
        ("rank", (), ["y = a", "y = c"]),
        ("off", ("b",), ["y = a", "y = b", "y = c"]),
    ],
)
async def test_by_key_what_does_not_parse_is_shown_only_where_nothing_does(
    wire: Wire, check: str, sound: tuple[str, ...], shown: list[str]
) -> None:
    texts = ("a", *sound, "c")
    candidates = tuple(EngineCandidate(text, 0.5, text in sound) for text in texts)
    wire.engine.filler.answers = (ScriptedAnswer(candidates=candidates, before="y = "),)
    await wire.initialize(initializationOptions={"syntax": {"check": check}})
    wire.open("y = \n")
    assert await wire.inline(0, 4, automatic=False) == shown


async def test_disabled_scopes_are_a_setting_and_spare_who_asks_by_key(wire: Wire) -> None:
    line, character = await open_drawn(wire, "x = 1  # return ¦")
    assert await wire.inline(line, character) == []
    assert (await wire.inline(line, character, automatic=False))[0] == "x = 1  # return a + b"
    off = {"settings": {"inline": {"disabledIn": ["string"], "minConfidence": 0}}}
    wire.notify("workspace/didChangeConfiguration", off)
    assert (await wire.inline(line, character))[0] == "x = 1  # return a + b"
    wire.open('x = "return "', version=2)
    assert await wire.inline(0, 12) == []
    assert await wire.reason() == "scopeOff"


async def test_the_engine_is_told_whether_to_repair(wire: Wire) -> None:
    line, character = await open_drawn(wire, "return ¦")
    for check in ("repair", "rank"):
        wire.notify("workspace/didChangeConfiguration", {"settings": {"syntax": {"check": check}}})
        await wire.inline(line, character)
        asked = wire.engine.filler.asked
        assert asked is not None and asked.repair is (check == "repair")
