"""Judging finished text: every token seen once, from the other half."""

from __future__ import annotations

import math

import pytest

from diffusion.errors import SamplerError
from diffusion.process.judging import FilledCanvas, judge
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import ScriptedDenoiser, byte_ids, byte_vocabulary, oracle, uniform

VOCABULARY = byte_vocabulary()
SIZE = VOCABULARY.size


def test_every_token_is_masked_in_one_of_two_rows() -> None:
    text = byte_ids("abcde")
    denoise = oracle([*byte_ids("if "), *text], SIZE, p=0.5)
    [found] = judge(denoise, [FilledCanvas(byte_ids("if "), text, spare=3)], VOCABULARY)
    [call] = denoise.calls
    assert call.wanted == [[3, 5, 7], [4, 6, 8]]
    shown = ["".join("_" if t == MASK else "." if t == DEL else "x" for t in r) for r in call.ids]
    assert shown == ["xxx_x_x_...", "xxxx_x_x___"], "the DELs are masked together"
    assert found.log_p == pytest.approx([math.log(0.5)] * 5)
    assert found.end_log_p == pytest.approx(math.log(0.5))


def test_the_improbable_text_is_told_from_the_probable_one() -> None:
    right, wrong = byte_ids("abc"), byte_ids("axc")
    found = judge(
        oracle(right, SIZE), [FilledCanvas((), right), FilledCanvas((), wrong)], VOCABULARY
    )
    assert found[0].mean_log_p > -0.01 and found[0].min_log_p > -0.01
    assert found[1].min_log_p < -5 and found[1].log_p[0] == pytest.approx(found[0].log_p[0])
    assert found[1].end_log_p == 0.0


def test_canvases_do_not_influence_each_other() -> None:
    short, long = FilledCanvas((), byte_ids("a")), FilledCanvas(byte_ids("x"), byte_ids("bcd"), 2)
    denoise = oracle(byte_ids("abcd"), SIZE, p=0.7)
    both = judge(denoise, [short, long], VOCABULARY)
    assert both == [judge(denoise, [c], VOCABULARY)[0] for c in (short, long)]


def test_what_is_given_is_shown_and_not_judged() -> None:
    denoise = uniform(SIZE)
    [found] = judge(denoise, [FilledCanvas((), byte_ids("abc"), given=1)], VOCABULARY)
    assert len(found.log_p) == 2
    assert all(row[0] == byte_ids("a")[0] for row in denoise.calls[0].ids)


def test_nothing_to_judge_calls_nothing() -> None:
    denoise = uniform(SIZE)
    assert judge(denoise, [], VOCABULARY) == []
    [found] = judge(denoise, [FilledCanvas((), byte_ids("a"), given=1)], VOCABULARY)
    assert (found.log_p, found.mean_log_p, found.min_log_p) == ((), 0.0, 0.0)
    assert denoise.calls == []


def test_a_canvas_without_text_is_refused() -> None:
    with pytest.raises(SamplerError, match="without text"):
        FilledCanvas((1,), ())


def test_nan_is_refused() -> None:
    def broken(call: int, ids: tuple[int, ...], position: int) -> dict[int, float]:
        return {byte_ids("a")[0]: math.nan}

    denoise = ScriptedDenoiser(SIZE, broken)
    with pytest.raises(SamplerError, match="NaN"):
        judge(denoise, [FilledCanvas((), byte_ids("ab"))], VOCABULARY)
