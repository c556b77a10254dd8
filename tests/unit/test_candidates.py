"""Candidates out of canvases: duplicates, what does not parse, what a race left behind."""

from __future__ import annotations

import math
from typing import Any

import pytest

from diffusion.candidates import Candidate, Site, rank
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.process.canvas_state import CanvasResult
from diffusion.ranking import Ranking
from diffusion.text.hole_length import LengthTable
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
    before: bytes, after: bytes, *results: CanvasResult, ranking: Ranking | None = None
) -> list[Candidate]:
    data = before + after
    site = Site(
        SyntaxTree.parse(data, "python"), data, len(before), len(before), "python", "arguments"
    )
    return rank(TOKENIZER, LengthTable(), site, results, 0, b"", ranking)[0]


def test_a_text_is_offered_once_with_its_best_evidence() -> None:
    found = ranked(b"f(", b")\n", canvas(b"a", 0.3), canvas(b"a", 0.6), canvas(b"bc", 0.4))
    assert [(c.text, round(c.score, 2)) for c in found] == [("a", 0.6), ("bc", 0.4)]
    evidence = found[0].evidence
    assert evidence is not None and evidence.agreement == 0.5 and evidence.consensus == 0.5


def test_a_closer_too_many_is_cut_off() -> None:
    found = ranked(b"f(", b")\n", canvas(b"x, y))", 0.5, slots=12))
    assert found[0].text == "x, y" and found[0].parses
    assert "".join(token.text for token in found[0].tokens) == "x, y"
    evidence = found[0].evidence
    assert evidence is not None and evidence.trimmed and not evidence.ended
    assert not found[-1].parses and found[-1].text == "x, y))"


def test_what_parses_comes_first_and_a_whole_canvas_before_a_cut_one() -> None:
    found = ranked(b"f(", b")\n", canvas(b"x)", 0.9), canvas(b"y", 0.2))
    assert [c.text for c in found] == ["y", "x", "x)"]


def test_what_a_race_left_behind_is_offered_only_alone() -> None:
    behind = canvas(b"long, and cut", 0.5, finished=False, reason="outrun")
    assert [c.text for c in ranked(b"f(", b")\n", canvas(b"a", 0.1), behind)] == ["a"]
    assert [c.text for c in ranked(b"f(", b")\n", canvas(b" ", 0.1), behind)] == ["long, and cut"]


@pytest.mark.parametrize(("after", "echoes"), [(b"\n    return x\n", True), (b"\n    y\n", False)])
def test_a_text_that_ends_with_the_line_after_it_is_told(after: bytes, echoes: bool) -> None:
    [found] = ranked(b"def f(x):\n    ", after, canvas(b"return x"))
    assert found.evidence is not None and found.evidence.echo is echoes


def test_a_fitted_ranking_orders_and_scores() -> None:
    fitted = Ranking({"log_tokens": 2.0}, bias=-3.0, calibrated=True)
    found = ranked(b"f(", b")\n", canvas(b"a", 0.9), canvas(b"a, b, c", 0.1), ranking=fitted)
    assert [c.text for c in found] == ["a, b, c", "a"]
    assert found[1].score == pytest.approx(1 / (1 + math.exp(3 - 2 * math.log(2))))
