"""No optimisation changes an answer: caches of every kind against the plain reference.

In float32, since the order of sums in bfloat16 or int8 differs from pass to pass.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from diffusion.cancel import CancelToken
from diffusion.infill import InfillConfig, Infiller, InfillRequest, InfillResult
from tests.support.reference import Opened, example_holes, reference_of


def request(opened: Opened, typed: int = 0) -> InfillRequest:
    """What is asked once `typed` bytes of the missing text are there."""
    text = opened.text[: opened.cursor] + opened.middle[:typed] + opened.text[opened.cursor :]
    return InfillRequest(text, opened.cursor + typed, opened.language, alternatives=20)


def same(got: InfillResult, wanted: InfillResult) -> bool:
    return [c.text for c in got.candidates] == [c.text for c in wanted.candidates] and all(
        a.score == pytest.approx(b.score, abs=2e-4) and a.parses == b.parses
        for a, b in zip(got.candidates, wanted.candidates, strict=True)
    )


def check(folder: Path, count: int) -> None:
    """Ask as an editor does: ahead of need, at once, after a key, and after coming back."""
    config = InfillConfig(context_tokens=120)  # what the reference pays for at every step
    served = Infiller.load(folder, threads=2, precision="fp32", config=config)
    plain = reference_of(served, folder)
    differ = []
    for number, opened in enumerate(example_holes(count)):
        typed = 1 if opened.middle[:1].isascii() else 0
        served.encode_ahead(request(opened), CancelToken())
        first = served.infill(request(opened))
        after_key = served.infill(request(opened, typed))
        again = served.infill(request(opened))
        assert first.context_cached and again.context_cached
        plain.contexts.clear()
        wanted = plain.infill(request(opened))
        wanted_after_key = plain.infill(request(opened, typed))
        if not (same(first, wanted) and same(again, wanted) and same(after_key, wanted_after_key)):
            differ.append(number)
    assert not differ, f"{len(differ)} of {count} holes are answered differently: {differ}"


def test_caches_change_no_answer(tiny_model_dir: Path) -> None:
    check(tiny_model_dir, 3)


def test_kept_slots_answer_alike_however_the_caches_stand(tiny_model_dir: Path) -> None:
    """They are no cache of that kind: they may differ from the reference, not from themselves."""
    config = InfillConfig(context_tokens=120)
    served = Infiller.load(tiny_model_dir, threads=2, precision="fp32", config=config)
    for opened in example_holes(3):
        asked = replace(request(opened), in_haste=True)
        first = served.infill(asked)
        served.infill(replace(request(opened, 1), in_haste=True))
        again = served.infill(asked)
        served.contexts.clear()
        cold = served.infill(asked)
        assert (again.context_cached, cold.context_cached) == (True, False)
        assert same(again, first) and same(cold, first)


def test_answers_in_haste_do_not_depend_on_the_line_before(tiny_model_dir: Path) -> None:
    """Half of the context is there then, since the line before had the same far part."""
    served = Infiller.load(tiny_model_dir, threads=2, precision="fp32")
    shared = 0
    for opened in example_holes(6):
        asked = replace(request(opened), in_haste=True)
        cold = served.infill(asked)
        served.contexts.clear()
        above = opened.text[: opened.cursor].rsplit(b"\n", 2)[0]
        served.infill(replace(asked, text=above + opened.text[opened.cursor :], cursor=len(above)))
        warm = served.infill(asked)
        shared += 0 < warm.context_read < cold.context_read
        assert same(warm, cold)
        served.contexts.clear()
    assert shared, "no line shared its far part with the line before"


@pytest.mark.slow
def test_caches_change_no_answer_on_200_holes(tiny_model_dir: Path) -> None:
    check(tiny_model_dir, 200)


@pytest.mark.model
@pytest.mark.slow
def test_caches_change_no_answer_of_the_bundled_model(bundled_model_dir: Path) -> None:
    check(bundled_model_dir, 10)
