"""The forward cache: hits while typing along, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.completion.cache import ENTRIES, ForwardCache
from lsp_server.completion.candidate import Piece, Suggestion
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document, to_bytes


def request(
    drawn: str, *, uri: str = "file:///a.py", alternatives: int = 1, automatic: bool = True
) -> CompletionRequest:
    before, _, after = drawn.partition("¦")
    document = Document.open(uri, "python", 1, before + after)
    return CompletionRequest(document, len(to_bytes(before)), automatic, alternatives)


def stored(drawn: str, *texts: str, replaces: int = 0) -> ForwardCache:
    cache, asked = ForwardCache(), request(drawn)
    cache.store(
        asked,
        tuple(Suggestion(text, asked.cursor, asked.cursor + replaces, 0.9) for text in texts),
        cache.generation,
    )
    return cache


def texts(cache: ForwardCache, drawn: str, **options: int) -> list[str]:
    return [suggestion.text for suggestion in cache.lookup(request(drawn, **options))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("drawn", "left"),
    [
        ("x = ¦\ny", ["foo(é)", "fob"]),
        ("x = f¦\ny", ["oo(é)", "ob"]),
        ("x = foo(é¦\ny", [")"]),
        ("x = foo(é)¦\ny", []),
        ("x = bar¦\ny", []),
        ("x =¦\ny", []),
        ("z = f¦\ny", []),
        ("x = f¦\nz", []),
        ("x = f¦)\ny", []),
        ("x = fo¦o(é)\ny", []),
    ],
)
def test_what_is_left(drawn: str, left: list[str]) -> None:
    assert texts(stored("x = ¦\ny", "foo(é)", "fob"), drawn) == left


def test_the_bytes_after_the_cursor_that_the_hole_takes_stay_in_it() -> None:
    cache = stored("f(¦)", "a, b)", replaces=1)
    (rest,) = cache.lookup(request("f(a¦)"))
    assert (rest.text, rest.start, rest.end) == (", b)", 3, 4)


@pytest.mark.parametrize(
    ("typed", "score"),
    [("", 0.2), ("fo", 0.2), ("foo", 0.25), ("foo(a, ", 0.5), ("foo(a, b)", 1.0)],
)
def test_what_is_left_is_scored_as_right_up_to_there(typed: str, score: float) -> None:
    cache, asked = ForwardCache(), request("x = ¦")
    tokens = (("foo", 0.8), ("(a, ", 0.5), ("b)", 0.1), (".c()", 0.9))
    said = tuple(Piece(text, p) for text, p in tokens)
    text = "".join(piece.text for piece in said)
    suggestion = Suggestion(text, asked.cursor, asked.cursor, 0.2, pieces=said)
    cache.store(asked, (suggestion,), cache.generation)
    (rest,) = cache.lookup(request(f"x = {typed}¦"))
    assert rest.score == pytest.approx(score)


def test_blanks_alone_are_not_offered() -> None:
    assert texts(stored("x = ¦y", "1 \t"), "x = 1¦y") == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\n    "])
def test_a_line_break_is_left_over_for_what_goes_below(line_end: str) -> None:
    cache = stored("make(¦)", f"\n    two,{line_end}")
    assert texts(cache, "make(\n    two,¦)") == [line_end]


def test_other_documents_and_larger_wishes_miss() -> None:
    cache = stored("x = ¦", "foo")
    assert cache.lookup(request("x = ¦", uri="file:///b.py")) == ()
    assert texts(cache, "x = ¦", alternatives=3) == []


def test_who_asks_by_key_does_not_get_what_was_left_for_one_who_did_not() -> None:
    cache = stored("x = ¦", "foo")
    assert texts(cache, "x = f¦", automatic=False) == []
    by_key = request("x = ¦", automatic=False)
    cache.store(by_key, (Suggestion("far", by_key.cursor, by_key.cursor, 0.9),), cache.generation)
    assert texts(cache, "x = f¦", automatic=False) == ["ar"]
    assert texts(cache, "x = f¦") == ["ar"], "the other way round it is no loss"


def test_forgetting() -> None:
    cache = stored("x = ¦", "foo")
    cache.forget("file:///b.py")
    assert texts(cache, "x = ¦") == ["foo"]
    cache.forget("file:///a.py")
    assert texts(cache, "x = ¦") == []


def test_what_began_before_something_was_forgotten_is_not_kept() -> None:
    cache, asked = ForwardCache(), request("x = ¦")
    began = cache.generation
    cache.forget()
    cache.store(asked, (Suggestion("foo", asked.cursor, asked.cursor, 0.9),), began)
    assert texts(cache, "x = ¦") == []


def test_the_oldest_answers_are_dropped() -> None:
    cache = stored("x = ¦", "foo")
    for number in range(ENTRIES):
        other = request(f"y{number} = ¦")
        cache.store(other, (Suggestion("1", other.cursor, other.cursor, 0.9),), cache.generation)
    assert texts(cache, "x = ¦") == []


@given(st.text(max_size=8), st.text(max_size=8), st.text(min_size=1, max_size=8), st.data())
def test_a_hit_leads_to_the_same_document(
    before: str, after: str, fill: str, draw: st.DataObject
) -> None:
    before, after, fill = (text.replace("¦", "|") for text in (before, after, fill))
    cut = draw.draw(st.integers(0, len(fill)))
    cache = stored(f"{before}¦{after}", fill)
    asked = request(f"{before}{fill[:cut]}¦{after}")
    for rest in cache.lookup(asked):
        data = asked.document.data
        accepted = data[: rest.start] + to_bytes(rest.text) + data[rest.end :]
        assert accepted == to_bytes(before + fill + after)
