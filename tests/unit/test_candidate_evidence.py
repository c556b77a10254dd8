"""What a candidate brings to the ranking, figure by figure: of canvases and of quotes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from diffusion.candidates import Candidate, rank
from diffusion.process.canvas_state import CanvasResult
from diffusion.quoting import PlacedQuote
from diffusion.ranking import Evidence
from diffusion.site import Site
from diffusion.text.hole_length import LengthTable
from diffusion.text.repeats import Repeats
from diffusion.text.syntax import SyntaxTree
from tests.unit.test_candidates import TOKENIZER, WEIGHS_QUOTES, canvas, quote


def ranked(
    before: bytes, after: bytes, *results: CanvasResult, suffix: str = "",
    quotes: Sequence[PlacedQuote] = (),
) -> dict[str, Candidate]:  # fmt: skip
    data, at = before + after, len(before)
    tree = SyntaxTree.parse(data, "python")
    site = Site(tree, data, at, at, "python", "arguments", suffix)
    found, _ = rank(
        TOKENIZER, LengthTable(), site, results, 0, b"", WEIGHS_QUOTES, quotes
    )  # fmt: skip
    return {candidate.text: candidate for candidate in found}


def evidence(candidate: Candidate) -> Evidence:
    assert candidate.evidence is not None
    return candidate.evidence


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("text", [b"two", b"ten"])
def test_what_a_text_repeats_is_asked_of_what_it_inserts_and_not_of_its_suffix(
    quoted: bool, text: bytes
) -> None:
    before, after = b"call(one)\ncall(two)\ncall(six)\ncall(", b")\n"
    given = {"quotes": [quote(text)]} if quoted else {}
    results = () if quoted else (canvas(text, 0.5),)
    found = ranked(before, after, *results, suffix="\n", **given)
    expected = Repeats(before + after, len(before), len(before)).log_odds(text)
    assert expected < 0 if text == b"two" else expected > 0
    assert evidence(found[text.decode() + "\n"]).repeats == expected


def test_the_end_of_a_row_is_one_of_its_tokens() -> None:
    ended = canvas(b"a", slots=4, token_p=(0.5, 0.25, 1.0, 1.0))
    full = canvas(b"b", token_p=(0.5,))
    found = ranked(b"f(", b")\n", ended, full)
    known = evidence(found["a"])
    assert known.ended and known.tokens == 1
    assert known.sum_log_p == pytest.approx(math.log(0.5 * 0.25))
    assert known.min_log_p == known.end_log_p == pytest.approx(math.log(0.25))
    other = evidence(found["b"])
    assert not other.ended and other.end_log_p == 0.0
    assert other.sum_log_p == other.min_log_p == pytest.approx(math.log(0.5))


@pytest.mark.parametrize("text", [b"x = 1\n\n)", b"x = 1\n    )", b"x = 1 \n )"])
def test_what_is_cut_off_leaves_no_white_space_at_the_end(text: bytes) -> None:
    found = ranked(b"a = 2\n", b"\n", canvas(text, 0.5))
    [trimmed] = [candidate for candidate in found.values() if evidence(candidate).trimmed]
    assert trimmed.text == "x = 1" and trimmed.parses
