"""How far a suggestion is shown: starts on drawn tokens, and the whole way through the server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.candidate import Piece, Suggestion
from lsp_server.completion.extent import FEWEST, WRONG_COSTS, worth_showing
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.engine.engine import EngineCandidate
from lsp_server.engine.scripted import ScriptedAnswer
from tests.support.lsp_wire import URI, Wire, answer

GUESS = (("items", 0.95), (".sort", 0.9), ("(", 0.95), ("key", 0.2), ("=len", 0.5), (")", 0.9))
SURE = tuple((text, 0.99) for text, _ in GUESS)
LISTED = (("fresh", 0.9), (", ", 0.5), ("other", 0.05), (", ", 0.9))
HIDDEN = (("zip", 0.1), ("(a, b)", 0.5))
SCRIPT = ()
FILE = {"textDocument": {"uri": URI}}


def candidate(tokens: tuple[tuple[str, float], ...], score: float) -> EngineCandidate:
    return EngineCandidate("".join(text for text, _ in tokens), score, True, tokens=tokens)


def script(
    before: str, *candidates: EngineCandidate, replace: int = 0
) -> tuple[ScriptedAnswer, ...]:
    return (ScriptedAnswer(candidates=candidates, before=before, replace=replace),)


def shown(drawn: str, score: float, least: float = 0.0, right: str = "") -> str | None:
    """What is shown of a text that is drawn with the probability behind each token."""
    tokens = [part.rpartition(" ") for part in drawn.split("|")]
    said = tuple(Piece(text, float(p) if p != "?" else None) for text, _, p in tokens)
    text = "".join(piece.text for piece in said)
    found = worth_showing(Suggestion(text, 3, 4, score, pieces=said), least, right)
    return None if found is None else found.text


@pytest.mark.parametrize(
    ("drawn", "score", "text"),
    [
        ("items 0.9|.sort 0.9|(key) 0.9", 0.7, "items.sort(key)"),
        ("items 0.9|.sort 0.9|(key) 0.2", 0.1, "items.sort"),
        ("items 0.9|.sort 0.2|(key) 0.2", 0.03, "items"),
        ("ite 0.99|ms 0.2|.sort 0.9|() 0.9", 0.1, None),  # none ends amid a word
        ("cafe 0.99|\u0301s 0.2|.sort 0.9|() 0.9", 0.1, None),  # nor amid a letter
        ("\u0928\u092e\u0938\u094d 0.99|\u0924\u0947 0.2", 0.1, None),
        ("abc \U0001f468 0.99|\u200d\U0001f469 0.2", 0.1, None),
        ("abc \U0001f468\u200d 0.99|\U0001f469 0.2", 0.1, None),
        ("import 0.9| (y) 0.9|\r 0.1", 0.08, None),  # a line above another: whole or not at all
        ("x 0.9| = 0.9| y 0.1", 0.08, "x ="),
        ("x 0.9|= 0.9| y 0.1", 0.02, None),  # two characters save nobody anything
        ("if a: 0.9|\n     0.9|return b 0.1", 0.08, "if a:"),  # no line end, no blanks at the end
        ("wrong 0.1|() 0.9", 0.09, None),
        ("items ?|.sort() 0.9", 0.05, None),  # nothing is known of any start
        ("items ?|.sort() 0.9", 0.6, "items.sort()"),
        ("a_long_line_of_which_much_is_saved() 0.2", 0.2, "a_long_line_of_which_much_is_saved()"),
        ("short 0.2", 0.2, None),
    ],
)
def test_the_start_that_saves_most(drawn: str, score: float, text: str | None) -> None:
    assert shown(drawn, score) == text


def test_nothing_is_shown_below_the_confidence_that_is_wanted() -> None:
    drawn = "a_long_line 0.5|_of_which_much_is_saved() 0.5"
    assert shown(drawn, 0.25, least=0.25) == "a_long_line_of_which_much_is_saved()"
    assert shown(drawn, 0.25, least=0.3) is None


tokens = st.tuples(st.text("ab_. \n(é", min_size=1, max_size=6), st.floats(0, 1))


@given(st.lists(tokens, min_size=1, max_size=8), st.floats(0, 1))
def test_a_start_is_a_beginning_and_leaves_the_document_alone(
    said: list[tuple[str, float]], score: float
) -> None:
    text = "".join(word for word, _ in said)
    whole = Suggestion(text, 3, 5, score, pieces=tuple(Piece(word, p) for word, p in said))
    found = worth_showing(whole)
    if found is None or found == whole:
        expected = score * len(text.strip()) - (1 - score) * WRONG_COSTS
        assert (found is not None) is (expected > 0)
        return
    assert text.startswith(found.text) and found.text == found.text.rstrip() != text
    assert "".join(piece.text for piece in found.pieces) == found.text
    assert found.start == found.end == 3 and found.parses is None
    assert len(found.text.strip()) >= FEWEST
    around = text[len(found.text) - 1 : len(found.text) + 1]
    assert not all(c.isalnum() or c == "_" for c in around)


async def test_what_is_left_out_comes_when_the_start_is_there(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = ", candidate(GUESS, 0.08))
    await wire.initialize()
    wire.open("x = \n")
    assert await wire.inline(0, 4) == ["x = items.sort(", "x = items.sort(key=len)"]
    explained = await wire.ask("diffill/explainLast")
    assert explained["start"] == {"characters": 11, "of": 19}
    assert "items" not in str(explained)
    pieces = (await wire.ask("diffill/confidence", FILE))["items"][0]["pieces"]
    assert [piece["p"] for piece in pieces] == [None, 0.95, 0.9, 0.95]
    wire.type("items.sort(key", 0, 4, 2)
    assert await wire.inline(0, 18) == ["x = items.sort(key=len)"]
    assert wire.engine.filler.requests == 1


async def test_where_what_is_left_is_no_good_the_model_is_asked_again(wire: Wire) -> None:
    wire.engine.filler.answers = (
        *script("x = ", candidate(GUESS, 0.04)),
        *script("x = items.sort(", candidate((("reverse=True)", 0.9),), 0.8)),
    )
    await wire.initialize()
    wire.open("x = \n")
    assert await wire.inline(0, 4) == ["x = items.sort("]
    wire.type("items.sort(", 0, 4, 2)
    assert await wire.inline(0, 15) == ["x = items.sort(reverse=True)"]
    assert wire.engine.filler.requests == 2


@pytest.mark.parametrize(
    ("automatic", "extent"), [(True, "sure"), (True, "whole"), (False, "sure")]
)
async def test_only_who_takes_a_start_gets_a_text_without_its_end(
    wire: Wire, automatic: bool, extent: str
) -> None:
    wire.engine.filler.answers = script("x = ", candidate(GUESS[:4], 0.0))
    options = {"extent": extent, "minConfidence": 0.15}
    await wire.initialize(initializationOptions={"inline": options})
    wire.open("x = \n")
    starts = automatic and extent == "sure"
    offered = await wire.inline(0, 4, automatic=automatic)
    assert wire.engine.filler.asked is not None
    assert wire.engine.filler.asked.least_p == (0.15 if starts else 0.0)
    if automatic:
        assert offered == (["x = items.sort("] if starts else [])
    wire.type("items.sort(key", 0, 4, 2)
    await wire.inline(0, 18, automatic=automatic)
    assert wire.engine.filler.requests == 2, "where the text ends, the model is asked again"


async def test_it_says_that_a_text_was_not_finished(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = ", candidate((("zip", 0.1), ("(a", 0.5)), 0.0))
    await wire.initialize()
    wire.open("x = \n")
    assert await wire.inline(0, 4) == []
    said = str(await wire.ask("diffill/explainLast"))
    assert "no start of it is worth a look, it was too unlikely to be finished" in said


async def test_no_more_are_offered_than_were_wanted(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = ", candidate(GUESS, 0.08))
    await wire.initialize(initializationOptions={"inline": {"alternatives": 1}})
    wire.open("x = \n")
    assert await wire.inline(0, 4) == ["x = items.sort("]


@pytest.mark.parametrize(
    ("extent", "automatic", "offered"),
    [
        ("sure", True, ["x = items.sort(", "x = items.sort(key=len)"]),
        ("sure", False, ["x = items.sort(key=len)", "x = zip(a, b)"]),
        ("whole", True, ["x = items.sort(key=len)"]),
        ("whole", False, ["x = items.sort(key=len)", "x = zip(a, b)"]),
    ],
)
async def test_who_asks_by_key_and_who_wants_it_gets_the_whole(
    wire: Wire, extent: str, automatic: bool, offered: list[str]
) -> None:
    found = candidate(GUESS, 0.08), candidate(HIDDEN, 0.02)
    wire.engine.filler.answers = script("x = ", *found)
    await wire.initialize(initializationOptions={"inline": {"extent": extent}})
    wire.open("x = \n")
    assert await wire.inline(0, 4, automatic=automatic) == offered


async def test_a_list_holds_whole_suggestions(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = ", candidate(GUESS, 0.08), candidate(HIDDEN, 0.02))
    await wire.initialize(initializationOptions={"completion": {"enable": "always"}})
    wire.open("x = \n")
    where = {**FILE, "position": {"line": 0, "character": 4}}
    for method, texts in (
        ("textDocument/completion", ["items.sort(key=len)"]),
        ("textDocument/inlineCompletion", ["x = items.sort(", "x = items.sort(key=len)"]),
        ("textDocument/completion", ["items.sort(key=len)"]),  # out of the same cache
    ):
        answer = await wire.ask(method, {**where, "context": {"triggerKind": 2}})
        found = [i.get("insertText") or i["textEdit"]["newText"] for i in answer["items"]]
        assert [text.removeprefix("x = ") for text in found] == [
            text.removeprefix("x = ") for text in texts
        ]


async def test_a_start_takes_no_closer_away(wire: Wire) -> None:
    tokens = (("total", 0.95), (", ", 0.95), ("other", 0.1), (")", 0.9))
    wire.engine.filler.answers = script("f(", candidate(tokens, 0.08), replace=1)
    await wire.initialize()
    wire.open("f()\n")
    (item, *_) = (await wire.response(wire.ask_inline(0, 2)))["result"]["items"]
    end = item["range"]["end"]["character"]
    assert item["insertText"] + "f()"[end:] == "f(total,)"


@pytest.mark.parametrize(
    ("drawn", "right", "text"),
    [
        ("fresh 0.9|, 0.5|other 0.05|, 0.9", "s", "fresh,"),
        ("fresh 0.9|, 0.5|other 0.05|, 0.9", ")", "fresh"),
        (". 0.9|items 0.9|.first 0.05|. 0.9", "n", None),
        (". 0.9|items 0.9|.first 0.05|. 0.9", ".", ".items"),
        ("fresh 0.9|, 0.9|other 0.05|) 0.9", "stale)\n", None),  # it would leave "stale" there
        ("fresh 0.9|, 0.9|other 0.05|) 0.9", ")\n", "fresh,"),
        ("total 0.9| = 0.9| 0 0.1|\n 0.9", "r", None),  # lines before a line, whole or not at all
    ],
)
def test_a_start_is_not_glued_to_what_follows(drawn: str, right: str, text: str | None) -> None:
    assert shown(drawn, 0.01, right=right) == text


async def test_what_follows_is_asked_of_the_document(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = f(", candidate(LISTED, 0.01))
    await wire.initialize()
    wire.open("x = f()\n")
    assert await wire.inline(0, 6) == ["x = f(fresh)"]
    wire.type("stale", 0, 6, 2)
    assert await wire.inline(0, 6) == ["x = f(fresh,stale)"]


async def test_nothing_worth_a_look_has_a_reason(wire: Wire) -> None:
    wire.engine.filler.answers = script("x = ", candidate(HIDDEN, 0.04), candidate(SURE, 0.02))
    await wire.initialize()
    wire.open("x = \n")
    assert await wire.inline(0, 4) == []
    explained = await wire.ask("diffill/explainLast")
    assert explained["reason"] == "allFiltered"
    assert [one["droppedBy"] for one in explained["candidates"]] == ["extent", "extent"]
    assert "worth a look, confidence 0.04" in explained["message"]
    wire.type("zip", 0, 4, 2)
    assert await wire.inline(0, 7) == []
    assert not wire.server.session.cache.lookup(
        CompletionRequest(wire.server.session.documents[URI], 7, automatic=True)
    ), "what was not shown is not kept"


async def test_who_accepts_by_line_is_offered_the_last_line_break_too(wire: Wire) -> None:
    text = "\n    one,\n    two,"
    wire.engine.filler.answers = (answer(f"{text}\n", score=0.95, before="make("),)
    await wire.initialize()
    wire.open("make()\n")
    assert await wire.inline(0, 5) == [f"make({text}\n)"]
    wire.type(text, 0, 5, 2)
    assert await wire.inline(2, 8) == ["    two,\n)"]
    assert wire.engine.filler.requests == 1
