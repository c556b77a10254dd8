"""Syntax repair: what is taken back, what stays, and that only what parses is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.infill import Infiller, InfillRequest
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.process.canvas_state import CanvasResult, CanvasState
from diffusion.process.sampler import sample
from diffusion.repair import TEMPERATURE, VARIANTS, repair, slots_to_mask
from diffusion.site import Site, adds_no_error
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import DEL, MASK, Tokenizer
from tests.support.drawn import read_drawn
from tests.support.reference import example_holes


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.load(bundled_tokenizer_path())


def site(drawn: str, language: str = "python") -> Site:
    read = read_drawn(drawn)
    assert read.cursor is not None
    tree = SyntaxTree.parse(read.data, language)
    return Site(tree, read.data, read.cursor, read.cursor, language, "inline")


def canvas(tokenizer: Tokenizer, text: str, p: float = 0.5, spare: int = 2) -> CanvasResult:
    ids = (*tokenizer.encode(text.encode()), *[DEL] * spare)
    return CanvasResult(ids, (p,) * len(ids), -0.5, 3, True, "ended", True)


def spelled(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    kept = [token for token in ids if token != DEL]
    return "".join("░" if t == MASK else tokenizer.token_bytes(t).decode() for t in kept)


def masks(tokenizer: Tokenizer, where: Site, result: CanvasResult) -> str:
    hidden = slots_to_mask(tokenizer, where, result, 0, b"")
    return spelled(
        tokenizer, [MASK if slot in hidden else token for slot, token in enumerate(result.ids)]
    )


def test_the_error_is_masked_and_what_is_sound_stays(tokenizer: Tokenizer) -> None:
    where = site("x = call(‸)\ny = 2\n")
    shown = masks(tokenizer, where, canvas(tokenizer, "first, , second, third, fourth"))
    assert shown.startswith("░") and shown.endswith(" second, third, fourth")


def test_an_end_that_is_wrong_may_become_longer(tokenizer: Tokenizer) -> None:
    where = site("x = ‸\ny = 2\n")
    result = canvas(tokenizer, "call(first, second", spare=3)
    hidden = slots_to_mask(tokenizer, where, result, 0, b"")
    assert {len(result.ids) - 1, len(result.ids) - 2, len(result.ids) - 3} <= hidden


def test_where_all_is_wrong_the_more_probable_half_holds(tokenizer: Tokenizer) -> None:
    where = site("‸\n")
    result = canvas(tokenizer, ") ] ) ]", spare=0)
    odds = tuple(0.9 if slot % 2 else 0.1 for slot in range(len(result.ids)))
    hidden = slots_to_mask(tokenizer, where, replace(result, token_p=odds), 0, b"")
    assert 0 < len(hidden) < len(result.ids)
    assert all(odds[slot] <= 0.5 for slot in hidden)


class Resampler:
    """Fills a canvas with the ids it was given, and notes what it was asked for."""

    def __init__(self, *answers: CanvasResult) -> None:
        self.answers = answers
        self.asked: list[CanvasState] = []

    def __call__(self, canvases: Sequence[CanvasState]) -> list[CanvasResult]:
        self.asked = list(canvases)
        return [self.answers[i % len(self.answers)] for i in range(len(canvases))]


def test_only_what_parses_is_kept_with_the_odds_of_what_stayed(tokenizer: Tokenizer) -> None:
    where = site("x = call(‸)\ny = 2\n")
    broken = canvas(tokenizer, "first, , second", p=0.5, spare=0)
    good = canvas(tokenizer, "first, a, second", p=0.25, spare=0)
    assert len(good.ids) > len(broken.ids)
    good = replace(
        good, ids=good.ids[: len(broken.ids)], token_p=good.token_p[: len(broken.ids)]
    )
    resample = Resampler(good, broken)
    found = repair(tokenizer, where, [broken], 0, b"", resample)
    assert len(resample.asked) == VARIANTS
    assert all(c.temperature == TEMPERATURE and MASK in c.ids for c in resample.asked)
    for result in found:
        text = spelled(tokenizer, result.ids).encode()
        assert adds_no_error(where, text)
        assert 0.25 in result.token_p and 0.5 in result.token_p
        assert result.steps == 6
    assert len(found) == 1


@pytest.mark.parametrize("ends_early", [True, False])
def test_what_was_certain_counts_and_pins_do_not(tokenizer: Tokenizer, ends_early: bool) -> None:
    where = site("x = call(‸)\ny = 2\n")
    [pin] = tokenizer.encode(b"(")

    def pinned(text: str, p: float) -> CanvasResult:
        result = canvas(tokenizer, text, p, spare=0)
        return replace(result, ids=(pin, *result.ids), token_p=(1.0, *result.token_p))

    broken, good = pinned("first, , second", 1.0), pinned("first, a,", 0.25)
    assert len(broken.ids) == len(good.ids)
    resample = Resampler(good)
    found = repair(tokenizer, where, [broken], 1, b"", resample, ends_early=ends_early)
    masked = resample.asked[0].ids.count(MASK)
    assert found and 0 < masked < len(broken.ids) - 1
    for result in found:
        mean = masked * math.log(0.25) / (len(broken.ids) - 1)
        assert result.mean_log_p == pytest.approx(mean)
    assert all(canvas.ends_early is ends_early for canvas in resample.asked)


def test_an_exact_length_stays_exact_when_it_is_repaired(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infiller = Infiller.load(tiny_model_dir, threads=1, precision="fp32")
    runs: list[Sequence[CanvasState]] = []

    def watched(denoise: Any, states: Sequence[CanvasState], *more: Any, **named: Any) -> Any:
        runs.append(states)
        return sample(denoise, states, *more, **named)

    monkeypatch.setattr("diffusion.infill.sample", watched)
    text = b"x = call(first, )\n"
    infiller.infill(InfillRequest(text, 16, "python", length=6, exact=True, repair=True))
    assert len(runs) == 2 and not any(state.ends_early for states in runs for state in states)


@pytest.mark.parametrize("text", ["first, second", "a"])
def test_what_parses_is_left_alone(tokenizer: Tokenizer, text: str) -> None:
    resample = Resampler(canvas(tokenizer, text))
    assert repair(tokenizer, site("f(‸)\n"), [canvas(tokenizer, text)], 0, b"", resample) == []
    assert resample.asked == []


def test_what_is_not_finished_is_left_alone(tokenizer: Tokenizer) -> None:
    cut = replace(canvas(tokenizer, "f(("), finished=False, reason="deadline")
    resample = Resampler(cut)
    assert repair(tokenizer, site("‸\n"), [cut], 0, b"", resample) == []
    assert resample.asked == []


def test_the_constraint_is_never_taken_back(tokenizer: Tokenizer) -> None:
    """`pri` is typed: the first token spells it and stays."""
    where = site("pri‸\n")
    result = canvas(tokenizer, "print((", spare=1)
    hidden = slots_to_mask(tokenizer, where, result, 0, b"pri")
    assert hidden and 0 not in hidden


def test_a_constraint_that_ends_where_a_token_does_takes_no_more(tokenizer: Tokenizer) -> None:
    where = site("print‸\n")
    assert masks_of_constraint(tokenizer, where, "print((", b"print")
    assert not slots_to_mask(tokenizer, where, canvas(tokenizer, "print", spare=0), 0, b"print")


def masks_of_constraint(tokenizer: Tokenizer, where: Site, text: str, typed: bytes) -> bool:
    """Whether the first token behind what is typed may be taken back."""
    hidden = slots_to_mask(tokenizer, where, canvas(tokenizer, text, spare=0), 0, typed)
    return 1 in hidden and 0 not in hidden


def test_what_could_not_be_looked_at_is_not_kept(tokenizer: Tokenizer) -> None:
    where = site("x = call(‸)\ny = 2\n")
    broken = canvas(tokenizer, "first, , second", spare=0)
    good = canvas(tokenizer, "first, a second", spare=0)

    def time_is_up(canvases: Sequence[CanvasState]) -> list[CanvasResult]:
        where.allowance.left_ms = 0.0
        return [good] * len(canvases)

    assert repair(tokenizer, where, [broken], 0, b"", time_is_up) == []


def test_a_request_with_repair_never_offers_less(tiny_model_dir: Path) -> None:
    infiller = Infiller.load(tiny_model_dir, threads=1, precision="fp32")
    for hole in example_holes(2, seed=3):
        asked = InfillRequest(hole.text, hole.cursor, hole.language, alternatives=50)
        plain = {c.text for c in infiller.infill(asked).candidates}
        repaired = infiller.infill(replace(asked, repair=True)).candidates
        added = [c for c in repaired if c.text not in plain]
        assert plain <= {c.text for c in repaired}
        assert all(c.parses for c in added)
