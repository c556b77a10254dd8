"""Candidates out of canvases: duplicates, what does not parse, what a race left behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from diffusion.candidates import Candidate, Site, rank
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.process.canvas_state import CanvasResult
from diffusion.quoting import PlacedQuote
from diffusion.ranking import Ranking
from diffusion.text.hole_length import LengthTable
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.quotes import Quote
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, Tokenizer

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


def canvas(text: bytes, p: float = 0.5, *, slots: int = 0, **known: Any) -> CanvasResult:
    """A canvas that holds `text` and then DEL up to `slots`."""
    ids = TOKENIZER.encode(text)
    ended = slots > len(ids)
    facts: dict[str, Any] = {
        "ids": (*ids, *[DEL] * (slots - len(ids))),
        "token_p": (p,) * max(len(ids), slots),
        "mean_log_p": math.log(p),
        "steps": 1,
        "finished": True,
        "reason": "ended" if ended else "full",
        "constraint_met": True,
    }
    return CanvasResult(**(facts | known))


def ranked(
    before: bytes,
    after: bytes,
    *results: CanvasResult,
    ranking: Ranking | None = None,
    quotes: Sequence[PlacedQuote] = (),
) -> list[Candidate]:
    data = before + after
    site = Site(
        SyntaxTree.parse(data, "python"), data, len(before), len(before), "python", "arguments"
    )
    return rank(TOKENIZER, LengthTable(), site, results, 0, b"", ranking, quotes)[0]


def test_a_text_is_offered_once_with_its_best_evidence() -> None:
    found = ranked(b"f(", b")\n", canvas(b"a", 0.3), canvas(b"a", 0.6), canvas(b"bc", 0.4))
    assert [(c.text, round(c.score, 2)) for c in found] == [("a", 0.6), ("bc", 0.4)]
    evidence = found[0].evidence
    assert evidence is not None and evidence.mean_log_p == pytest.approx(math.log(0.6), abs=1e-6)


def test_texts_that_differ_in_blanks_at_a_line_end_are_offered_once() -> None:
    same = [canvas(b"a()\n", 0.6), canvas(b"b()", 0.4), canvas(b"a()", 0.3)]
    assert [c.text for c in ranked(b"if b:\n    ", b"", *same)] == ["a()\n", "b()"]
    assert len(ranked(b"if b:\n    ", b" # why", *same)) == 3, "there, blanks are seen"
    whole, start = canvas(b"a()\n", 0.1), left(b"a()", 0.6)
    assert [c.text for c in ranked(b"if b:\n    ", b"", start, whole)] == ["a()\n"]


@pytest.mark.parametrize(
    ("before", "text", "after", "offered"),
    [
        (b"x = ", b"not", b"group\n", "not "),
        (b"x = ", b"not ", b"group\n", "not "),
        (b"x = ", b"not", b"(group)\n", "not"),
        (b"x = n", b"ot", b"group\n", "ot"),
        (b"x = ", b"self_", b"group\n", "self_"),
        (b"f(", b"a", b"group)\n", "a"),
        (b"# of ", b"the", b"group\n", "the "),
    ],
)
def test_a_text_does_not_run_into_the_word_behind_it(
    before: bytes, text: bytes, after: bytes, offered: str
) -> None:
    assert [c.text for c in ranked(before, after, canvas(text))] == [offered]
    quote = PlacedQuote(Quote(text, 1.0, 1.0, 2), 0, tuple(TOKENIZER.encode(text)))
    assert [c.text for c in ranked(before, after, quotes=[quote])] == [offered]


def test_the_same_text_with_the_blank_and_without_is_one() -> None:
    found = ranked(b"x = ", b"group\n", canvas(b"not", 0.4), canvas(b"not ", 0.3))
    assert [(c.text, round(c.score, 1)) for c in found] == [("not ", 0.4)]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"reason": "deadline", "constraint_met": False}, "the time was up"),
        ({"reason": "deadline"}, "the time was up"),
        ({"reason": "max_steps", "ids": (*TOKENIZER.encode(b"\n"), DEL, DEL)}, "the time was up"),
        ({"reason": "constraint", "constraint_met": False}, "the typed word could not be"),
        ({"reason": "unsure", "ids": (*TOKENIZER.encode(b"\n"), DEL, DEL)}, "nothing that the"),
        ({"reason": "ended", "finished": True}, "the model ended the hole at once"),
    ],
)
def test_it_says_why_nothing_is_offered(known: dict[str, Any], said: str) -> None:
    result = canvas(b"", slots=3, **({"finished": False} | known))
    site = Site(SyntaxTree.parse(b"x = ", "python"), b"x = ", 4, 4, "python", "expression")
    found, reason = rank(TOKENIZER, LengthTable(), site, [result], 0, b"", None, ())
    assert not found and reason.startswith(said)


def test_a_closer_too_many_is_cut_off() -> None:
    found = ranked(b"f(", b")\n", canvas(b"x, y))", 0.5, slots=12))
    assert found[0].text == "x, y" and found[0].parses
    assert "".join(token.text for token in found[0].tokens) == "x, y"
    evidence = found[0].evidence
    assert evidence is not None and evidence.trimmed and not evidence.ended
    assert not found[-1].parses and found[-1].text == "x, y))"


class Looks(ParseAllowance):
    """Time for so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def edited(self, tree: SyntaxTree, start: int, end: int, text: bytes) -> SyntaxTree:
        self.looks -= 1
        if self.looks < 0:
            self.left_ms = 0.0
        return super().edited(tree, start, end, text)


@pytest.mark.parametrize(("looks", "texts"), [(9, ["x, y", "x, y))"]), (1, ["x, y))"])])
def test_a_start_that_nobody_could_look_at_is_not_offered(looks: int, texts: list[str]) -> None:
    data = b"f()\n"
    tree = SyntaxTree.parse(data, "python")
    site = Site(tree, data, 2, 2, "python", "arguments", allowance=Looks(looks))
    result = canvas(b"x, y))", 0.5, slots=12)
    found, _ = rank(TOKENIZER, LengthTable(), site, [result], 0, b"")
    assert [candidate.text for candidate in found] == texts


def test_what_parses_comes_first_and_a_whole_canvas_before_a_cut_one() -> None:
    found = ranked(b"f(", b")\n", canvas(b"x)", 0.9), canvas(b"y", 0.2))
    assert [c.text for c in found] == ["y", "x", "x)"]


def test_what_a_race_left_behind_is_offered_only_alone() -> None:
    behind = canvas(b"long, and cut", 0.5, finished=False, reason="outrun")
    assert [c.text for c in ranked(b"f(", b")\n", canvas(b"a", 0.1), behind)] == ["a"]
    assert [c.text for c in ranked(b"f(", b")\n", canvas(b" ", 0.1), behind)] == ["long, and cut"]


def left(text: bytes, p: float) -> CanvasResult:
    return canvas(text, p, slots=20, finished=False, reason="unsure")


def test_what_was_not_worth_finishing_stands_by_its_start() -> None:
    whole, start, worse = canvas(b"bc", 0.1), left(b"items[", 0.4), left(b"z", 0.05)
    found = ranked(b"f(", b")\n", whole, worse, start)
    assert [c.text for c in found] == ["items[", "bc", "z"]
    assert [round(c.score, 2) for c in found] == [0.0, 0.1, 0.0]
    assert found[0].parses, "nobody knows what would have closed it"
    assert found[0].evidence is not None and found[0].evidence.ended
    assert math.prod(token.p for token in found[0].tokens) == pytest.approx(
        0.4 ** len(found[0].tokens)
    )


def test_a_whole_text_is_more_than_the_same_one_unfinished() -> None:
    found = ranked(b"f(", b")\n", left(b"a", 0.9), canvas(b"a", 0.2))
    assert [(c.text, round(c.score, 2)) for c in found] == [("a", 0.2)]
    [said] = ranked(
        b"f(", b")\n", left(b"a", 0.9), ranking=WEIGHS_QUOTES, quotes=[quote(b"a")]
    )  # fmt: skip
    assert said.evidence is not None and said.evidence.quote is not None and said.score > 0.0


@pytest.mark.parametrize(("after", "echoes"), [(b"\n    return x\n", True), (b"\n    y\n", False)])
def test_a_text_that_ends_with_the_line_after_it_is_told(after: bytes, echoes: bool) -> None:
    [found] = ranked(b"def f(x):\n    ", after, canvas(b"return x"))
    assert found.evidence is not None and found.evidence.echo is echoes


def test_a_fitted_ranking_orders_and_scores() -> None:
    fitted = Ranking({"log_tokens": 2.0}, bias=-3.0, calibrated=True)
    found = ranked(b"f(", b")\n", canvas(b"a", 0.9), canvas(b"a, b, c", 0.1), ranking=fitted)
    assert [c.text for c in found] == ["a, b, c", "a"]
    assert found[1].score == pytest.approx(1 / (1 + math.exp(3 - 2 * math.log(2))))


WEIGHS_QUOTES = Ranking({"quote_share": 2.0, "sum_log_p": 1.0}, calibrated=True, quotes=2)


def quote(text: bytes, share: float = 1.0) -> PlacedQuote:
    return PlacedQuote(Quote(text, 0.9, share, 3), 0, tuple(TOKENIZER.encode(text)))


def test_a_quote_stands_beside_the_canvases_with_its_own_evidence() -> None:
    found = ranked(b"f(", b")\n", canvas(b"a", 0.4), ranking=WEIGHS_QUOTES, quotes=[quote(b"bc")])
    assert [c.text for c in found] == ["bc", "a"]
    assert "".join(token.text for token in found[0].tokens) == "bc"
    assert math.prod(token.p for token in found[0].tokens) == pytest.approx(found[0].score)
    evidence = found[0].evidence
    assert evidence is not None and not evidence.sampled and evidence.sum_log_p == 0.0
    assert evidence.quote is not None and evidence.quote.share == 1.0
    assert found[1].evidence is not None and found[1].evidence.quote is None


def test_a_canvas_that_says_what_is_quoted_has_both_kinds_of_evidence() -> None:
    found = ranked(b"f(", b")\n", canvas(b"a", 0.4), ranking=WEIGHS_QUOTES, quotes=[quote(b"a")])
    [both] = [c.evidence for c in found]
    assert both is not None and both.sampled and both.quote is not None
    assert both.sum_log_p < 0


def test_a_canvas_that_was_cut_off_gives_way_to_the_quote_of_the_same_text() -> None:
    cut = canvas(b"a", 0.4, finished=False, reason="deadline")
    [found] = ranked(b"f(", b")\n", cut, ranking=WEIGHS_QUOTES, quotes=[quote(b"a")])
    assert found.evidence is not None and found.evidence.finished


def test_a_quote_is_parsed_and_brings_what_was_said_of_it() -> None:
    heard = replace(quote(b"a))"), said=(-0.5, -1.5))
    found = ranked(b"f(", b")\n", canvas(b"ab", 0.1), ranking=WEIGHS_QUOTES, quotes=[heard])
    evidence = found[0].evidence
    assert evidence is not None and not evidence.parses
    assert evidence.quote is not None and evidence.quote.said_log_p == -2.0


def test_what_repeats_a_line_as_its_kin_never_do_is_marked() -> None:
    above = b"call(one)\ncall(two)\ncall(six)\n"
    found = ranked(above, b"\n", canvas(b"call(two)", 0.6), canvas(b"call(ten)", 0.4))
    two, ten = (c.evidence for c in found)
    assert two is not None and ten is not None
    assert two.repeats < 0 < ten.repeats


def test_half_a_character_is_no_quote() -> None:
    assert not ranked(b"f(", b")\n", ranking=WEIGHS_QUOTES, quotes=[quote(b"\xc3")])
