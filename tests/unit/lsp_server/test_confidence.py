"""Probabilities stay with their parts of a text, whatever the filters did to its blanks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.candidate import Piece
from lsp_server.completion.confidence import pieces, without_start
from tests.support.lsp_wire import URI, WAIT_S, Wire, scripted
from tests.support.lsp_wire import answer as rule
from tests.unit.lsp_server.test_requests import open_drawn

OTHER = "file:///b.py"
TOKENS = (("if", 0.9), (" x", 0.5), (":\n", 0.8), ("    y", 0.4))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if x:\n    y", [("if ", 0.9), ("x", 0.5), (":\n    ", 0.8), ("y", 0.4)]),
        ("if x:\r\n\ty", [("if ", 0.9), ("x", 0.5), (":\r\n\t", 0.8), ("y", 0.4)]),
        ("if x", [("if ", 0.9), ("x", 0.5)]),
        ("  if", [("  if", 0.9)]),
        ("if z:", [("if ", 0.9), ("z:", None)]),
        ("if zx:", [("if ", 0.9), ("zx:", None)]),
        ("if x:\n    yes", [("if ", 0.9), ("x", 0.5), (":\n    ", 0.8), ("y", 0.4), ("es", None)]),
        (" ", [(" ", None)]),
        ("", []),
    ],
)
def test_pieces(text: str, expected: list[tuple[str, float | None]]) -> None:
    assert pieces(text, TOKENS) == tuple(Piece(*each) for each in expected)


def test_tokens_of_one_probability_stay_apart() -> None:
    assert pieces("a.b", (("a", 0.9), (".", 0.9), ("b", 0.9))) == (
        Piece("a", 0.9), Piece(".", 0.9), Piece("b", 0.9),
    )  # fmt: skip


def test_characters_that_two_tokens_share() -> None:
    halves = (("'", 0.9), ("\ufffd", 0.2), ("\ufffd", 0.7), ("é", 0.6), ("'", 0.8))
    assert pieces("'漢é'", halves) == (
        Piece("'", 0.9), Piece("漢", 0.2 * 0.7), Piece("é", 0.6), Piece("'", 0.8),
    )  # fmt: skip
    run = (*[("\ufffd", 0.5)] * 4, (")\ufffd", 0.9), ("\ufffd", 0.5))
    assert pieces("данн)漢", run) == (
        Piece("данн", 0.5**4), Piece(")", 0.9), Piece("漢", 0.5),
    ), "as probable as all of its tokens"  # fmt: skip
    assert pieces("xa", (("\ufffd", 0.2), ("a", 0.9))) == (Piece("xa", None),), "x has no halves"


@given(st.text(), st.lists(st.tuples(st.text(), st.floats(0, 1))), st.integers(0, 20))
def test_pieces_are_the_text(text: str, tokens: list[tuple[str, float]], cut: int) -> None:
    found = pieces(text, tokens)
    assert "".join(piece.text for piece in found) == text
    assert "".join(piece.text for piece in without_start(found, cut)) == text[cut:]


async def test_typing_along_keeps_the_rest_and_another_document_has_none() -> None:
    engine = scripted([rule("a + b", before="return ")])
    (candidate,) = engine.filler.answers[0].candidates
    object.__setattr__(candidate, "tokens", (("a", 0.9), (" +", 0.6), (" b", 0.3)))
    wire = Wire(engine)
    line, character = await open_drawn(wire, "return ¦\n")
    wire.open("x = 1\n", uri="file:///b.py")
    asked = {"textDocument": {"uri": URI}}
    assert await wire.ask("diffill/confidence", asked) == {"items": []}
    await wire.inline(line, character)
    wire.type("a +", line, character, 2)
    assert await wire.inline(line, character + 3) == ["return a + b"]
    found = await wire.ask("diffill/confidence", asked)
    assert found["items"][0]["pieces"] == [
        {"text": "return a +", "p": None}, {"text": " ", "p": 0.6}, {"text": "b", "p": 0.3},
    ]  # fmt: skip
    assert await wire.ask("diffill/confidence", {"textDocument": {"uri": "file:///b.py"}}) == {
        "items": []
    }
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


def shown(found: dict[str, Any]) -> list[str]:
    return [item["insertText"] for item in found["items"]]


async def test_every_document_has_its_own_until_it_is_closed() -> None:
    wire = Wire(scripted([rule("a + b", before="return "), rule("2", before="x = ")]))
    line, character = await open_drawn(wire, "return ¦\n")
    wire.open("x = \n", uri=OTHER)
    first, other = {"textDocument": {"uri": URI}}, {"textDocument": {"uri": OTHER}}
    await wire.inline(line, character)
    await wire.inline(0, 4, uri=OTHER)
    assert shown(await wire.ask("diffill/confidence", first)) == ["return a + b"]
    assert shown(await wire.ask("diffill/confidence", other)) == ["x = 2"]
    wire.notify("textDocument/didClose", first)
    wire.open("return \n")
    assert await wire.ask("diffill/confidence", first) == {"items": []}
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def test_an_answer_without_a_place_leaves_nothing_of_the_one_before() -> None:
    wire = Wire(scripted([rule("a + b", before="return ")]))
    line, character = await open_drawn(wire, "return ¦\n")
    asked = {"textDocument": {"uri": URI}}
    await wire.inline(line, character)
    assert shown(await wire.ask("diffill/confidence", asked)) == ["return a + b"]
    assert await wire.inline(99, 0) == []
    assert await wire.ask("diffill/confidence", asked) == {"items": []}
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


async def test_a_request_that_was_overtaken_does_not_take_what_is_shown_away() -> None:
    wire = Wire(scripted([rule("a + b", before="return "), rule("y", before="x")], gated=True))
    line, character = await open_drawn(wire, "return ¦\n")
    asked = wire.ask_inline(line, character)
    wire.engine.filler.release()
    await wire.response(asked)
    wire.type("x", line, character, 2)
    overtaken = wire.ask_inline(line, character + 1)
    await wire.ask("diffill/status")  # the engine is at it
    back = {"start": {"line": line, "character": character},
            "end": {"line": line, "character": character + 1}}  # fmt: skip
    erased = {"textDocument": {"uri": URI, "version": 3},
              "contentChanges": [{"range": back, "text": ""}]}  # fmt: skip
    wire.notify("textDocument/didChange", erased)
    assert await wire.inline(line, character) == ["return a + b"]
    wire.engine.filler.release()
    assert (await wire.response(overtaken))["result"]["items"] == []
    found = await wire.ask("diffill/confidence", {"textDocument": {"uri": URI}})
    assert shown(found) == ["return a + b"]
    wire.engine.filler.release(9)  # what is prepared ahead of need
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)
