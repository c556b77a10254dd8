"""`diffill/fill`, `bridge`, `fromComment`, `alternatives`: positions, checks, and failures."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.reasons import SENTENCES, Reason
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "x = '😀'; y = ___\nz = ___\n# double\n"
DOCUMENT = {"textDocument": {"uri": URI}}
SCRIPT = [
    answer("one", "two", before="y = "),
    answer("    return 1\n", before="# double"),
    answer("late in it", "later in it", before="z = ", reason="of one part only"),
    answer(error="no luck", before="x = "),
]


def where(line: int, start: int, end: int) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    }


FAR = {"line": 0, "character": float("inf")}  # what 1e400 is read as
FIRST, SECOND = where(0, 14, 17), where(1, 4, 7)  # in UTF-16 the face takes two units


async def test_markers_are_holes_and_a_fill_is_one_list_of_edits(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    result = await wire.ask("diffill/fill", {**DOCUMENT, "n": 2})
    assert result == {
        "fills": [
            {
                "edits": [{"range": FIRST, "newText": text}, {"range": SECOND, "newText": text}],
                "texts": [text, text],
                "score": 0.9,
                "parses": True,
            }
            for text in ("one", "two")
        ],
        "ranges": [FIRST, SECOND],
        "reason": None,
    }


async def test_numbers_from_lua_are_floats(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    for number, count in ((1.0, 1), (2.0, 2)):
        result = await wire.ask("diffill/fill", {**DOCUMENT, "n": number})
        assert len(result["fills"]) == count
    asked = {**DOCUMENT, "range": SECOND, "text": "now in it"}
    one, other = [
        await wire.ask("diffill/alternatives", {**asked, "offset": offset}) for offset in (4, 4.0)
    ]
    assert one == other


async def test_ranges_and_another_marker_are_holes_too(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    given = await wire.ask("diffill/fill", {**DOCUMENT, "holes": [FIRST], "pins": []})
    assert given["ranges"] == [FIRST] and given["fills"][0]["texts"] == ["one"]
    marked = await wire.ask("diffill/fill", {**DOCUMENT, "marker": "double"})
    assert marked["ranges"] == [where(2, 2, 8)] and marked["fills"] == []
    assert marked["reason"] == "the script has no answer for this place"
    partly = await wire.ask("diffill/fill", {**DOCUMENT, "holes": [SECOND]})
    assert partly["fills"] and partly["reason"] == "of one part only"


async def test_lines_between_blocks_and_from_a_comment(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    at = {**DOCUMENT, "position": {"line": 2, "character": 8}}
    for method in ("diffill/bridge", "diffill/fromComment"):
        result = await wire.ask(method, at)
        assert result["ranges"] == [where(2, 8, 8)]
        assert result["fills"][0]["edits"][0]["newText"] == "    return 1\n"


async def test_alternatives_for_one_token(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    result = await wire.ask(
        "diffill/alternatives", {**DOCUMENT, "range": SECOND, "text": "now 😀 in it", "offset": 8}
    )
    assert result["token"] == "now" and result["reason"] is None
    assert [(a["token"], a["text"]) for a in result["alternatives"]] == [
        ("late", "late in it"),
        ("later", "later in it"),
    ]


@pytest.mark.parametrize(
    ("method", "wrong", "said"),
    [
        ("fill", None, "must be an object"),
        ("fill", {"textDocument": {"uri": "file:///other"}}, "not an open document"),
        ("fill", {**DOCUMENT, "holes": 3}, "holes is not a list"),
        ("fill", {**DOCUMENT, "holes": [3]}, "holes[0].start is not a position"),
        ("fill", {**DOCUMENT, "holes": []}, "there is no hole"),
        ("fill", {**DOCUMENT, "holes": [FIRST, FIRST]}, "overlaps"),
        ("fill", {**DOCUMENT, "holes": [FIRST], "pins": [SECOND]}, "lies in no hole"),
        ("fill", {**DOCUMENT, "marker": " "}, "marker is blank"),
        ("fill", {**DOCUMENT, "marker": 1}, "give a string"),
        ("fill", {**DOCUMENT, "marker": "a\ud800"}, "a string of whole characters"),
        ("fill", {**DOCUMENT, "holes": [{"start": FAR, "end": FAR}]}, "is not a position"),
        ("bridge", {**DOCUMENT, "position": {"line": "0", "character": 0}}, "is not a position"),
        ("bridge", {**DOCUMENT, "position": {"line": 0, "character": True}}, "is not a position"),
        ("bridge", {**DOCUMENT, "position": {"line": 0.9, "character": 0}}, "is not a position"),
        ("fill", {**DOCUMENT, "holes": [FIRST] * 201}, "holes has 201 ranges; give at most 200"),
        ("fill", {**DOCUMENT, "pins": [FIRST] * 201}, "pins has 201 ranges; give at most 200"),
        ("fill", {**DOCUMENT, "marker": "%%"}, "no %% stands in the document"),
        ("fill", {**DOCUMENT, "n": 9}, "from 1 to 8"),
        ("fill", {**DOCUMENT, "n": 1.5}, "from 1 to 8"),
        ("fill", {**DOCUMENT, "n": float("inf")}, "from 1 to 8"),
        ("bridge", DOCUMENT, "position is not a position"),
        ("bridge", {**DOCUMENT, "position": FAR}, "position is not a position"),
        ("fromComment", {**DOCUMENT, "position": {"line": 9, "character": 0}}, "at line 9"),
        ("alternatives", {**DOCUMENT, "range": SECOND}, "give the text"),
        ("alternatives", {**DOCUMENT, "range": SECOND, "text": "a", "offset": 1}, "0 to 0"),
        ("alternatives", {**DOCUMENT, "range": SECOND, "text": "a" * 10_001}, "at most 10000"),
    ],
)
async def test_params_that_make_no_sense_are_named(
    wire: Wire, method: str, wrong: Any, said: str
) -> None:
    await wire.initialize()
    wire.open(TEXT)
    response = await wire.response(wire.request(f"diffill/{method}", wrong))
    assert response["error"]["code"] == -32602
    assert said in response["error"]["message"]
    assert await wire.ask("diffill/fill", DOCUMENT), "the server goes on"


@pytest.mark.parametrize(
    ("method", "needed", "optional"),
    [
        ("fill", {}, ("holes", "marker", "pins", "n", "partialResultToken")),
        ("bridge", {"position": FIRST["start"]}, ("n", "partialResultToken")),
        ("rewrite", {"range": FIRST}, ("strength", "alternatives", "keep", "partialResultToken")),
        ("alternatives", {"range": FIRST, "text": "one", "offset": 0}, ("n",)),
        ("score", {}, ("range", "codeOnly")),
    ],
)
async def test_null_is_not_given(
    wire: Wire, method: str, needed: dict[str, Any], optional: tuple[str, ...]
) -> None:
    await wire.initialize()
    wire.open(TEXT)
    asked = {"textDocument": {"uri": URI, "version": None}, **needed}
    plain = await wire.ask(f"diffill/{method}", {**DOCUMENT, **needed})
    assert plain["reason"] is None
    assert await wire.ask(f"diffill/{method}", {**asked, **dict.fromkeys(optional)}) == plain


async def test_another_version_is_content_modified(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    stale = {"textDocument": {"uri": URI, "version": 7}}
    response = await wire.response(wire.request("diffill/fill", stale))
    assert response["error"]["code"] == -32801


async def test_what_the_engine_fails_at_comes_as_a_sentence(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    hole = where(0, 4, 5)
    failed = await wire.ask("diffill/fill", {**DOCUMENT, "holes": [hole]})
    assert failed["fills"] == [] and failed["reason"] == "no luck" and failed["ranges"] == [hole]
    asked = {**DOCUMENT, "range": hole, "text": "a", "offset": 0}
    other = await wire.ask("diffill/alternatives", asked)
    assert other["alternatives"] == [] and other["reason"] == "no luck"


@pytest.mark.parametrize(
    ("method", "needed", "found"),
    [
        ("fill", {}, "fills"),
        ("bridge", {"position": FIRST["start"]}, "fills"),
        ("rewrite", {"range": FIRST}, "rewrites"),
        ("alternatives", {"range": FIRST, "text": "one", "offset": 0}, "alternatives"),
        ("score", {}, "words"),
    ],
)
async def test_an_edit_after_the_engine_is_done_is_not_too_late(
    wire: Wire,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    needed: dict[str, Any],
    found: str,
) -> None:
    """The loop is busy when the engine answers, and reads an edit before the answer."""
    await wire.initialize()
    wire.open(TEXT)
    name = "submit_fill" if method == "bridge" else f"submit_{method}"
    submit = getattr(wire.engine, name)

    def submit_and_edit(*asked: Any) -> Any:
        answered = submit(*asked)
        answered.result(WAIT_S)
        wire.type("# ", 0, 0, 2)
        return answered

    monkeypatch.setattr(wire.engine, name, submit_and_edit)
    result = await wire.ask(f"diffill/{method}", {**DOCUMENT, **needed})
    assert result[found] == [] and result["reason"] == SENTENCES[Reason.STALE]


async def test_kept_ranges_reach_the_engine(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    response = await wire.response(
        wire.request("diffill/rewrite", {**DOCUMENT, "range": FIRST, "keep": [where(0, 14, 99)]})
    )
    assert response["result"]["rewrites"], "a column past the end of the line is its end"
    wrong = {**DOCUMENT, "range": FIRST, "keep": [where(0, 3, 1)]}
    response = await wire.response(wire.request("diffill/rewrite", wrong))
    assert "keep[0].end lies before" in response["error"]["message"]


async def test_an_edit_stops_a_fill() -> None:
    gated = Wire(scripted([answer("one", before="y = ", steps=5)], gated=True))
    await gated.initialize()
    gated.open(TEXT)
    asked = gated.request("diffill/fill", DOCUMENT)
    gated.type("# ", 0, 0, 2)
    gated.engine.filler.release(100)
    response = await gated.response(asked)
    assert response["result"]["fills"] == []
    assert response["result"]["reason"] == SENTENCES[Reason.STALE]
    gated.server.session.close()
    assert gated.engine.join(WAIT_S)
