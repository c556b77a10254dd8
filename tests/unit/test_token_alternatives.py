"""Other tokens for a place of a candidate: what they are, where it is, and why there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.errors import HoleError
from diffusion.infill import Infiller, InfillRequest
from diffusion.text.canvas import MAX_CANVAS, place
from diffusion.token_alternatives import AlternativesRequest, alternatives
from diffusion.written import OUT_OF_TIME


@pytest.fixture(scope="module")
def infiller(tiny_model_dir: Path) -> Infiller:
    return Infiller.load(tiny_model_dir, threads=1, precision="fp32")


def test_alternatives_have_another_token_at_the_place(infiller: Infiller) -> None:
    data = b"for \n    pass\n"
    asked = AlternativesRequest(data, 4, 4, "python", b"item in items:", 5, count=4)
    result = alternatives(infiller, asked)
    assert result.token.strip() == "in" and 0 <= result.p <= 1
    assert result.alternatives
    for found in result.alternatives:
        assert found.token != result.token and found.token in found.text
        assert not found.text.startswith("item in")
    crlf = replace(asked, candidate=b"item\r\n in items:", at=7)
    assert alternatives(infiller, crlf).token.strip() == "in", "as the client counts"
    with pytest.raises(HoleError, match="outside the candidate"):
        alternatives(infiller, replace(asked, at=99))


@pytest.mark.parametrize("candidate", [b"return x\r\n", b"return x\r\n    y", b"return x\n"])
def test_any_byte_of_a_line_end_is_a_place(infiller: Infiller, candidate: bytes) -> None:
    data = b"def f(x):\r\n    \r\n"
    at = data.index(b"    ") + 4
    asked = AlternativesRequest(data, at, at, "python", candidate, 8)
    for place_at in range(8, candidate.index(b"\n") + 1):
        found = alternatives(infiller, replace(asked, at=place_at))
        assert found.token.startswith("\n"), place_at


@pytest.mark.parametrize("eol", ["\n", "\r\n"])
def test_whole_lines_before_a_line_stay_whole_lines(infiller: Infiller, eol: str) -> None:
    data = f"def area(w, h):{eol}    return w * h{eol}".encode()
    start = data.index(b"    return")
    offered = infiller.infill(InfillRequest(data, start, "python")).candidates[0].text.encode()
    candidate = f"    size = w{eol}".encode()
    assert offered.endswith(eol.encode())
    asked = AlternativesRequest(data, start, start, "python", candidate, candidate.index(b" w"))
    found = alternatives(infiller, asked).alternatives
    assert found and all(one.text.endswith(eol) for one in found)
    seen = data[:start] + eol.encode() + data[start:]  # by the model
    as_seen = replace(asked, text=seen, candidate=candidate.rstrip())
    assert [one.text.removesuffix(eol) for one in found] == [
        one.text for one in alternatives(infiller, as_seen).alternatives
    ]
    stays = alternatives(infiller, replace(asked, at=candidate.index(b"\n")))
    assert stays.token == "\n" and not stays.alternatives and "line end" in str(stays.reason)


def test_at_the_end_of_a_full_canvas_the_token_itself_is_scored(infiller: Infiller) -> None:
    data = b"x = 1\n\ny = 2\n"
    placement = place(infiller.tokenizer, data, 6, 6)
    candidate = b"a"
    while len(placement.pins) + len(placement.slots_needed(infiller.tokenizer, candidate)) < (
        MAX_CANVAS
    ):
        candidate += b" a"
    asked = AlternativesRequest(data, 6, 6, "python", candidate, len(candidate) - 1)
    found = alternatives(infiller, asked).alternatives
    assert found and all(one.score == one.p < 1 for one in found)


def test_it_says_that_the_time_was_up(infiller: Infiller) -> None:
    asked = AlternativesRequest(b"for \n", 4, 4, "python", b"item in items:", 5, deadline_ms=0.001)
    found = alternatives(infiller, asked)
    assert not found.alternatives and found.reason == OUT_OF_TIME
