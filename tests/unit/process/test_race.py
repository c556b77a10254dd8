"""Races between rows, known lengths, emptiness, and running without guards."""

from __future__ import annotations

import pytest

from diffusion.errors import ConfigError
from diffusion.process.canvas_state import CanvasState
from diffusion.process.guards import Guards
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
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


@pytest.mark.parametrize("constraint", [b"", b"re", b"retu", b"\n   "])
@pytest.mark.parametrize("slots", [1, 2, 3])
def test_a_row_that_may_not_be_empty_shows_something(constraint: bytes, slots: int) -> None:
    """However much the model would like to write white space, or only what is typed already."""
    vocabulary = byte_vocabulary(b"return", b"retu", b"\n    ", b"  x", b"\n   y", b"re")
    words = {vocabulary.token_bytes[token]: token for token in range(288, vocabulary.size)}
    liked = {words[b"re"]: 0.3, words[b"retu"]: 0.3, words[b"\n    "]: 0.2, DEL: 0.1}
    denoise = ScriptedDenoiser(vocabulary.size, lambda call, ids, position: liked)
    canvas = CanvasState((MASK,) * slots, 0, constraint)
    config = SamplerConfig(allow_empty=False)
    [result] = sample(denoise, [canvas], config, vocabulary=vocabulary)
    text = spelled([token for token in result.ids if token != DEL], vocabulary)
    assert text.startswith(constraint) and text[len(constraint) :].strip()


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
