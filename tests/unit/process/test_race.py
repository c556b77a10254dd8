"""Races between the rows of a batch, and running without guards."""

from __future__ import annotations

import pytest

from diffusion.errors import ConfigError
from diffusion.process.canvas_state import CanvasState
from diffusion.process.guards import Guards
from diffusion.process.sampler import SamplerConfig, sample
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import (
    Distribution,
    ScriptedDenoiser,
    byte_id,
    byte_ids,
    byte_vocabulary,
    spelled,
)

VOCABULARY = byte_vocabulary()
SHORT, LONG = CanvasState((MASK,) * 2), CanvasState((MASK,) * 9)


def sure_if_short(call: int, ids: tuple[int, ...], position: int) -> Distribution:
    """Spells the alphabet: with p 0.9 on the short canvas, with 0.3 on the long one."""
    return {byte_id("abcdefghi"[position]): 0.9 if len(ids) == 2 else 0.3}


@pytest.mark.parametrize(("race_nats", "calls"), [(None, 9), (100.0, 9), (3.0, 3), (0.0, 2)])
def test_a_row_left_far_behind_by_a_finished_one_is_given_up(
    race_nats: float | None, calls: int
) -> None:
    denoise = ScriptedDenoiser(VOCABULARY.size, sure_if_short)
    config = SamplerConfig(race_nats=race_nats)
    short, long = sample(denoise, [SHORT, LONG], config, vocabulary=VOCABULARY)
    assert short.finished and spelled(short.ids, VOCABULARY) == b"ab"
    assert len(denoise.calls) == calls
    assert long.finished == (calls == 9)
    if not long.finished:
        assert long.reason == "outrun"
        assert long.ids == (*byte_ids("abcdefghi"[:calls]), *[DEL] * (9 - calls))


def test_a_row_alone_runs_to_its_end_whatever_the_race() -> None:
    denoise = ScriptedDenoiser(VOCABULARY.size, sure_if_short)
    [result] = sample(denoise, [LONG], SamplerConfig(race_nats=0.0), vocabulary=VOCABULARY)
    assert result.finished


def test_a_canvas_of_known_length_does_not_end_early() -> None:
    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        return {DEL: 0.8, byte_id("abc"[position]): 0.1}

    for ends_early, text in ((True, b"a"), (False, b"abc")):
        canvas = CanvasState((MASK,) * 3, ends_early=ends_early)
        denoise = ScriptedDenoiser(VOCABULARY.size, script)
        config = SamplerConfig(allow_empty=False)
        [result] = sample(denoise, [canvas], config, vocabulary=VOCABULARY)
        assert spelled(result.ids, VOCABULARY) == text
        assert result.reason == ("ended" if ends_early else "full")


def test_a_race_is_a_distance() -> None:
    for wrong in (-1.0, float("nan")):
        with pytest.raises(ConfigError, match="race_nats"):
            SamplerConfig(race_nats=wrong)


def test_without_guards_a_loop_goes_on() -> None:
    for guards, text in ((Guards(), b"aa"), (Guards.none(), b"aaaaaa")):
        denoise = ScriptedDenoiser(
            VOCABULARY.size, lambda call, ids, position: {byte_id("a"): 0.97, byte_id("b"): 0.02}
        )
        config = SamplerConfig(guards=guards)
        [result] = sample(denoise, [CanvasState((MASK,) * 6)], config, vocabulary=VOCABULARY)
        assert spelled(result.ids, VOCABULARY).startswith(text)
        assert (spelled(result.ids, VOCABULARY) == b"aaaaaa") == (guards == Guards.none())
