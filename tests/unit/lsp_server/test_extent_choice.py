"""Which suggestions `extent.choose` shows, what it says of the others, and where a word goes on."""

from __future__ import annotations

import pytest

from lsp_server.completion.candidate import Piece, Suggestion
from lsp_server.completion.extent import Chosen, choose
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document, to_bytes
from lsp_server.settings import InlineSettings, Settings

GUESS = (("items", 0.95), (".sort", 0.9), ("(", 0.95), ("key", 0.2), ("=len", 0.5), (")", 0.9))
HIDDEN = (("zip", 0.1), ("(a, b)", 0.5))
LEAST = 0.1


def chosen(drawn: str, *suggestions: tuple[tuple[tuple[str, float], ...], float]) -> Chosen:
    """`¦` is the cursor; each suggestion is its tokens and its score."""
    before, after = drawn.split("¦")
    at = len(to_bytes(before))
    document = Document.open("file:///a.py", "python", 1, before + after)
    made = [
        Suggestion("".join(text for text, _ in tokens), at, at, score,
                   pieces=tuple(Piece(*token) for token in tokens))
        for tokens, score in suggestions
    ]  # fmt: skip
    request = CompletionRequest(document, at, automatic=True, sure=True)
    return choose(made, request, Settings(inline=InlineSettings(min_confidence=LEAST)))


def test_a_start_of_what_is_too_unsure_as_a_whole_is_shown_and_so_not_dropped() -> None:
    found = chosen("x = ¦\n", (GUESS, 0.05), (HIDDEN, 0.04))
    assert [one.text for one in found.shown] == ["items.sort("] and found.start_of == 19
    assert {place: drop.why for place, drop in found.dropped.items()} == {
        1: "confidence 0.04, 0.10 wanted"
    }


def test_what_is_too_unsure_itself_says_so_also_behind_one_that_is_not_shown() -> None:
    found = chosen("x = ¦\n", (HIDDEN, 0.05), (HIDDEN, 0.5), (GUESS, 0.04))
    assert found.shown == ()
    assert {place: drop.why for place, drop in found.dropped.items()} == {
        0: "no start of it is worth a look, confidence 0.05",
        1: "stands behind one that is not",
        2: "confidence 0.04, 0.10 wanted",
    }


@pytest.mark.parametrize(
    ("letter", "shown"),
    [("n", []), ("é", []), ("字", []), ("\U0001d4b3", []), ("…", [".items"]), (")", [".items"])],
)
def test_a_letter_of_many_bytes_goes_on_with_a_word(letter: str, shown: list[str]) -> None:
    tokens = ((".", 0.9), ("items", 0.9), (".first", 0.05), (".", 0.9))
    found = chosen(f"x¦{letter}\n", (tokens, 0.01))
    assert [one.text for one in found.shown] == shown


@pytest.mark.parametrize(("score", "shown"), [(0.95, ["\n"]), (0.7, []), (0.0, [])])
def test_a_line_break_that_is_left_over_is_worth_a_key(score: float, shown: list[str]) -> None:
    found = chosen("f(\n    a,¦)\n", ((("\n", score),), score))
    assert [one.text for one in found.shown] == shown
