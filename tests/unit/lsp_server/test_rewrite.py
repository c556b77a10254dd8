"""`diffill/rewrite`: positions, checks, and what a failing or busy engine leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.reasons import SENTENCES, Reason
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "x = '😀'; y = old(1)\n"
START = TEXT.index("old") + 1  # in UTF-16 the face takes two units
SCRIPT = [answer("new(1)", "newer(1)", before="y = "), answer(error="no luck", before="x = ")]


def params(start: int = START, end: int = START + 6, **more: Any) -> dict[str, Any]:
    where = {"start": {"line": 0, "character": start}, "end": {"line": 0, "character": end}}
    return {"textDocument": {"uri": URI}, "range": where, **more}


async def test_the_rewrites_and_the_range_they_replace(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    result = await wire.ask("diffill/rewrite", params(strength=0.25))
    assert result == {
        "rewrites": [
            {"text": text, "score": 0.9, "changed": 0.25, "parses": True}
            for text in ("new(1)", "newer(1)")
        ],
        "range": params()["range"],
        "masked": 1,
        "reason": None,
    }
    asked = wire.engine.filler.asked
    assert asked is not None and asked.text[asked.cursor :] == b"old(1)\n"


async def test_no_rewrite_comes_with_a_sentence(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    nothing = await wire.ask("diffill/rewrite", params(0, 1))
    assert nothing["rewrites"] == [] and nothing["reason"] == (
        "the script has no answer for this place"
    )
    failed = await wire.ask("diffill/rewrite", params(4, 6))
    assert failed["rewrites"] == [] and failed["reason"] == "no luck"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (None, "must be an object"),
        (params() | {"textDocument": {"uri": "file:///other"}}, "not an open document"),
        (params() | {"textDocument": 3}, "not an open document"),
        (params() | {"range": {"start": {"line": 0}}}, "range.start is not a position"),
        (params(9, 3), "range.end lies before"),
        (params(keep=[params()["range"]] * 201), "keep has 201 ranges; give at most 200"),
        (params(strength=0), "give a share above 0"),
        (params(strength="much"), "give a share above 0"),
        (params(alternatives=0), "from 1 to 8"),
        (
            {"textDocument": {"uri": URI}, "range": {
                "start": {"line": 7, "character": 0}, "end": {"line": 8, "character": 0}}},
            "at line 7, the document has 2",
        ),
    ],
)  # fmt: skip
async def test_params_that_make_no_sense_are_named(wire: Wire, wrong: Any, said: str) -> None:
    await wire.initialize()
    wire.open(TEXT)
    response = await wire.response(wire.request("diffill/rewrite", wrong))
    assert response["error"]["code"] == -32602
    assert said in response["error"]["message"]
    assert await wire.ask("diffill/rewrite", params()), "the server goes on"


async def test_an_edit_stops_a_rewrite(wire: Wire) -> None:
    gated = Wire(scripted([answer("new(1)", before="y = ", steps=5)], gated=True))
    await gated.initialize()
    gated.open(TEXT)
    asked = gated.request("diffill/rewrite", params())
    gated.type("# ", 0, 0, 2)
    gated.engine.filler.release(100)
    response = await gated.response(asked)
    assert response["result"]["rewrites"] == []
    assert response["result"]["reason"] == SENTENCES[Reason.STALE]
    gated.server.session.close()
    assert gated.engine.join(WAIT_S)
