"""Races between rows, rows that are left, known lengths, emptiness, and running without guards."""

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


@pytest.mark.parametrize(("least_p", "calls"), [(0.0, 9), (1e-5, 9), (0.08, 3), (0.2, 2), (0.5, 1)])
def test_a_row_that_is_less_probable_than_is_of_use_is_left(least_p: float, calls: int) -> None:
    denoise = ScriptedDenoiser(VOCABULARY.size, sure_if_short)
    config = SamplerConfig(least_p=least_p)
    short, long = sample(denoise, [SHORT, LONG], config, vocabulary=VOCABULARY)
    assert short.finished, "one that is as probable as is wanted runs to its end"
    assert len(denoise.calls) == max(2, calls)
    assert long.reason == ("unsure" if calls < 9 else "full")
    assert spelled([t for t in long.ids if t != DEL], VOCABULARY) == b"abcdefghi"[:calls]
    assert long.token_p[:calls] == pytest.approx([0.3] * calls)


def test_what_is_typed_is_spelled_however_unlikely() -> None:
    canvas = CanvasState((MASK,) * 6, 0, b"zz")
    denoise = ScriptedDenoiser(VOCABULARY.size, lambda *_: {byte_id("a"): 0.04, byte_id("z"): 0.01})
    [row] = sample(denoise, [canvas], SamplerConfig(least_p=0.5), vocabulary=VOCABULARY)
    assert row.reason == "unsure" and row.constraint_met
    assert spelled([t for t in row.ids if t != DEL], VOCABULARY).startswith(b"zz")


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


@pytest.mark.parametrize("wrong", [-0.1, 1.0, float("nan")])
def test_a_least_probability_is_one(wrong: float) -> None:
    with pytest.raises(ConfigError, match="least_p"):
        SamplerConfig(least_p=wrong)


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
