"""Re-scoring: text that the model doubts once all of it is there is taken back, and what then."""

from __future__ import annotations

import pytest

from diffusion.process.canvas_state import CanvasState, StepSnapshot
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import (
    Distribution,
    ScriptedDenoiser,
    byte_id,
    byte_vocabulary,
    spelled,
)

VOCABULARY = byte_vocabulary()
SIZE = VOCABULARY.size


def blank(slots: int) -> CanvasState:
    return CanvasState((MASK,) * slots)


def doubting(calls_until_done: int, second: str = "y") -> ScriptedDenoiser:
    """Spells `abc` and ends; then doubts the `b` and says `second` instead."""

    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        if call < calls_until_done:
            return {byte_id("abc"[position]) if position < 3 else DEL: 0.8}
        if position == 1:
            return {byte_id(second): 0.7, byte_id("b"): 0.2}
        return {ids[position]: 0.5} if ids[position] != MASK else {byte_id(second): 0.7}

    return ScriptedDenoiser(SIZE, script)


def test_rescoring_takes_back_what_fell_by_more_than_half() -> None:
    seen: list[StepSnapshot] = []
    denoise = doubting(4)
    config = SamplerConfig(remask=True, max_steps=20)
    [result] = sample(denoise, [blank(5)], config, vocabulary=VOCABULARY, on_step=seen.append)
    assert spelled(result.ids, VOCABULARY) == b"ayc"
    assert result.reason == "ended" and result.steps == 6
    assert denoise.calls[4].wanted == [[0, 1, 2]]
    assert seen[4].remasked == ((1,),)
    assert result.token_p == pytest.approx([0.8, 0.7, 0.8, 0.8, 0.8], abs=1e-3)


@pytest.mark.parametrize(("first", "then"), [("abc", "ab"), (" b", "x")])
def test_where_text_was_taken_back_the_hole_may_end(first: str, then: str) -> None:
    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        text = first if call <= len(first) else then
        return {byte_id(text[position]) if position < len(text) else DEL: 0.8}

    denoise = ScriptedDenoiser(SIZE, script)
    config = SamplerConfig(remask=True, max_steps=20, allow_empty=False)
    [result] = sample(denoise, [blank(5)], config, vocabulary=VOCABULARY)
    assert spelled(result.ids, VOCABULARY) == then.encode() and result.reason == "ended"


def test_rescoring_is_off_by_default_and_spares_pins_and_the_constraint() -> None:
    denoise = doubting(4)
    sample(denoise, [blank(5)], SamplerConfig(), vocabulary=VOCABULARY)
    assert len(denoise.calls) == 4
    denoise = doubting(3)
    canvas = CanvasState((byte_id("a"), *[MASK] * 4), 1, b"b")
    [result] = sample(denoise, [canvas], SamplerConfig(remask=True), vocabulary=VOCABULARY)
    assert denoise.calls[3].wanted == [[2]]
    assert spelled(result.ids, VOCABULARY) == b"abc"


def test_a_row_that_cannot_be_refilled_in_time_keeps_its_text() -> None:
    [result] = sample(
        doubting(4), [blank(5)], SamplerConfig(remask=True, max_steps=5), vocabulary=VOCABULARY
    )
    assert spelled(result.ids, VOCABULARY) == b"abc"
    assert result.finished and result.reason == "ended"
    assert result.token_p[1] == pytest.approx(0.8, abs=1e-3)
