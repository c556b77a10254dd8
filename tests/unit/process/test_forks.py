"""Rows that are split off where the model is in two minds."""

from __future__ import annotations

import math

import pytest

from diffusion.errors import ConfigError
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import LeftmostFirst
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import (
    Distribution,
    ScriptedDenoiser,
    byte_id,
    byte_vocabulary,
    spelled,
)

VOCABULARY = byte_vocabulary()
ONE_BY_ONE = LeftmostFirst(max_extra=0)


def words(call: int, ids: tuple[int, ...], position: int) -> Distribution:
    """`car`, less likely `cat`; after a `t` the hole ends or goes on with `s`."""
    before = spelled(ids[:position], VOCABULARY)
    return {
        b"": {byte_id("c"): 0.9, byte_id("d"): 0.05},
        b"c": {byte_id("a"): 0.97},
        b"ca": {byte_id("r"): 0.5, byte_id("t"): 0.4},
        b"car": {DEL: 0.99},
        b"cat": {DEL: 0.55, byte_id("s"): 0.4},
        b"cats": {DEL: 0.99},
    }.get(before, {byte_id("?"): 0.9})


def filled(forks: int, fork_nats: float = 1.5, **more: float) -> list[CanvasResult]:
    config = SamplerConfig(order=ONE_BY_ONE, end_p=1.0, fork_nats=fork_nats, **more)
    denoise = ScriptedDenoiser(VOCABULARY.size, words)
    canvas = CanvasState((MASK,) * 5, forks=forks)
    return sample(denoise, [canvas], config, vocabulary=VOCABULARY)


def texts(results: list[CanvasResult]) -> list[bytes]:
    return [spelled([t for t in result.ids if t != DEL], VOCABULARY) for result in results]


def test_a_near_second_choice_gets_a_row_of_its_own() -> None:
    alone, both = filled(0), filled(1)
    assert texts(alone) == [b"car"]
    assert texts(both) == [b"car", b"cat"]
    assert both[0] == alone[0], "the row itself is what it would have been"
    assert all(result.finished for result in both)


def test_what_a_row_was_split_off_with_is_in_its_probability() -> None:
    _, cat = filled(1)
    assert cat.token_p[:4] == pytest.approx((0.9, 0.97, 0.4, 0.55), abs=0.01)
    assert cat.mean_log_p == pytest.approx(math.log(0.9 * 0.97 * 0.4 * 0.55) / 4, abs=0.01)


@pytest.mark.parametrize(("fork_nats", "found"), [(0.1, [b"car"]), (0.3, [b"car", b"cat"])])
def test_a_choice_that_is_far_behind_is_none(fork_nats: float, found: list[bytes]) -> None:
    """0.4 against 0.5 is 0.22 nats behind."""
    assert texts(filled(1, fork_nats)) == found


def test_no_more_rows_than_allowed_and_none_from_a_row_that_was_split_off() -> None:
    assert texts(filled(5)) == [b"car", b"cat"], "`cats` would be a fork of a fork"


def test_a_bold_row_is_not_split() -> None:
    """It draws its token, so the second choice is no rival of what it drew."""
    assert len(filled(1, temperature=0.5)) == 1


def test_the_end_is_a_choice_too() -> None:
    def ends(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        return {byte_id("a"): 0.6, DEL: 0.3} if position else {byte_id("x"): 0.99}

    denoise = ScriptedDenoiser(VOCABULARY.size, ends)
    config = SamplerConfig(order=ONE_BY_ONE, allow_empty=False)
    canvas = CanvasState((MASK,) * 3, forks=2)
    results = sample(denoise, [canvas], config, vocabulary=VOCABULARY)
    assert texts(results) == [b"xaa", b"x", b"xa"]
    assert [result.reason for result in results] == ["full", "ended", "ended"]


def test_a_fork_far_behind_a_finished_row_is_given_up() -> None:
    def slow(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        if position == 0:
            return {byte_id("a"): 0.5, byte_id("b"): 0.4}
        return {DEL: 0.9} if ids[0] == byte_id("a") else {byte_id("b"): 0.1, byte_id("c"): 0.09}

    denoise = ScriptedDenoiser(VOCABULARY.size, slow)
    config = SamplerConfig(order=ONE_BY_ONE, race_nats=3.0)
    canvas = CanvasState((MASK,) * 9, forks=1)
    row, fork = sample(denoise, [canvas], config, vocabulary=VOCABULARY)
    assert row.finished and not fork.finished
    assert fork.reason == "outrun" and len(denoise.calls) < 9


def test_a_watcher_hears_of_every_row_and_whose_it_is() -> None:
    seen: list[StepSnapshot] = []
    config = SamplerConfig(order=ONE_BY_ONE, end_p=1.0)
    denoise = ScriptedDenoiser(VOCABULARY.size, words)
    canvases = [CanvasState((MASK,) * 5), CanvasState((MASK,) * 6, forks=1)]
    sample(denoise, canvases, config, vocabulary=VOCABULARY, on_step=seen.append)
    assert [len(snapshot.ids) for snapshot in seen] == [2, 2, 3, 3]
    assert [snapshot.parents for snapshot in seen] == [(), (), (1,), (1,)]
    assert [commit.token for commit in seen[2].committed[2]] == [byte_id("t")]


def test_a_distance_that_is_none_is_refused() -> None:
    for wrong in (-0.1, float("nan")):
        with pytest.raises(ConfigError, match="fork_nats"):
            SamplerConfig(fork_nats=wrong)
