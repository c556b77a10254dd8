"""The step loop against an oracle and a know-nothing: pins, termination, every order."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.errors import ConfigError, SamplerError
from diffusion.process.canvas_state import CanvasResult, CanvasState, StepSnapshot
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.schedule import Cosine, Linear
from diffusion.process.unmasking import Confidence, LeftmostFirst, Order
from diffusion.text.tokenizer import BOF, DEL, MASK, PAD
from tests.support.denoisers import (
    ScriptedDenoiser,
    byte_id,
    byte_ids,
    byte_vocabulary,
    oracle,
    spelled,
    uniform,
)
from tests.support.orders import Shuffled

VOCABULARY = byte_vocabulary(b"return", b" x", b"))")
SIZE = VOCABULARY.size
ORDERS: list[Order] = [
    LeftmostFirst(),
    LeftmostFirst(contiguous=False),
    Confidence(),
    Confidence(k=4, threshold=0.9),
    Shuffled(),
]
# Distinct neighbours, no loops: what the guards would refuse is tested on its own.
TARGETS = st.lists(st.sampled_from(byte_ids("abcdefgh()=+ ")), max_size=12).filter(
    lambda ids: (
        all(ids[i : i + n] != ids[i + n : i + 2 * n] for n in range(1, 7) for i in range(len(ids)))
        if ids
        else True
    )
)


def blank(pins: tuple[int, ...], slots: int, **more) -> CanvasState:
    return CanvasState(pins + (MASK,) * slots, len(pins), **more)


def check_honest(canvas: CanvasState, result: CanvasResult) -> None:
    """What must hold of every result, whatever the denoiser."""
    assert len(result.ids) == len(result.token_p) == len(canvas.ids)
    for before, after, pin in zip(canvas.ids, result.ids, canvas.pinned, strict=True):
        assert after not in (MASK, PAD)
        assert after == DEL or after >= 32 or pin
        if pin or (before != MASK and result.finished):
            assert after == before
    slots = [t for t, pin in zip(result.ids, canvas.pinned, strict=True) if not pin]
    if DEL in slots:
        assert set(slots[slots.index(DEL) :]) == {DEL}
    assert all(0.0 <= p <= 1.0 + 1e-6 for p in result.token_p)
    assert result.mean_log_p <= 1e-6


@pytest.mark.parametrize("order", ORDERS, ids=repr)
@settings(max_examples=12, deadline=None)
@given(
    target=TARGETS,
    pins=st.sampled_from(["", "if ", "x"]),
    spare=st.lists(st.integers(0, 9), min_size=1, max_size=4),
)
def test_oracle_is_reproduced_in_every_order_and_length(
    order: Order, target: list[int], pins: str, spare: list[int]
) -> None:
    pinned = byte_ids(pins)
    canvases = [blank(pinned, max(1, len(target) + extra)) for extra in spare]
    denoise = oracle((*pinned, *target), SIZE)
    results = sample(denoise, canvases, SamplerConfig(order=order), vocabulary=VOCABULARY)
    for canvas, result in zip(canvases, results, strict=True):
        check_honest(canvas, result)
        assert result.finished
        assert spelled(result.ids, VOCABULARY) == spelled((*pinned, *target), VOCABULARY)
        full = len(pinned) + len(target) == len(canvas.ids)
        assert result.reason == ("full" if full else "ended")
        assert result.mean_log_p == pytest.approx(math.log(0.999), abs=1e-4)


@pytest.mark.parametrize("order", ORDERS, ids=repr)
@settings(max_examples=12, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    temperature=st.sampled_from([0.0, 0.7]),
    top_p=st.sampled_from([0.5, 1.0]),
    max_steps=st.integers(1, 25),
    allow_empty=st.booleans(),
    remask=st.booleans(),
    schedule=st.sampled_from([None, Linear(), Cosine()]),
    seed=st.integers(0, 3),
)
def test_a_denoiser_that_knows_nothing_yields_something_valid(
    order: Order,
    lengths: list[int],
    temperature: float,
    top_p: float,
    max_steps: int,
    allow_empty: bool,
    remask: bool,
    schedule: Linear | Cosine | None,
    seed: int,
) -> None:
    config = SamplerConfig(
        order=order,
        temperature=temperature,
        top_p=top_p,
        max_steps=max_steps,
        allow_empty=allow_empty,
        remask=remask,
        schedule=schedule,
        seed=seed,
    )
    canvases = [blank(byte_ids("ab"), n) for n in lengths]
    denoise = uniform(SIZE)
    results = sample(denoise, canvases, config, vocabulary=VOCABULARY)
    assert len(denoise.calls) <= max_steps
    assert max(result.steps for result in results) == len(denoise.calls)
    for canvas, result in zip(canvases, results, strict=True):
        check_honest(canvas, result)
        assert result.finished == (result.reason in ("ended", "full"))
        if result.finished and not allow_empty:
            assert result.ids[2] != DEL
        if not result.finished:
            assert result.reason == "max_steps"


@settings(max_examples=40, deadline=None)
@given(
    flags=st.lists(st.sampled_from(["pin", "filled", "mask"]), min_size=1, max_size=12),
    order=st.sampled_from(ORDERS),
    seed=st.integers(0, 5),
)
def test_scattered_pins_and_filled_slots_never_change(
    flags: list[str], order: Order, seed: int
) -> None:
    ids = tuple(MASK if f == "mask" else byte_id("abcdefghijkl"[i]) for i, f in enumerate(flags))
    canvas = CanvasState(ids, tuple(flag == "pin" for flag in flags))
    config = SamplerConfig(order=order, temperature=1.0, seed=seed)
    [result] = sample(uniform(SIZE), [canvas], config, vocabulary=VOCABULARY)
    assert result.finished
    for flag, before, after in zip(flags, ids, result.ids, strict=True):
        if flag != "mask":
            assert after == before


def test_a_step_never_changes_what_an_earlier_step_filled() -> None:
    seen: list[StepSnapshot] = []
    config = SamplerConfig(order=Confidence(k=2), temperature=1.0, seed=4)
    canvases = [blank(byte_ids("x"), n) for n in (5, 9)]
    sample(uniform(SIZE), canvases, config, vocabulary=VOCABULARY, on_step=seen.append)
    assert [s.step for s in seen] == list(range(1, len(seen) + 1))
    for before, after in pairwise(seen):
        for row_before, row_after in zip(before.ids, after.ids, strict=True):
            for old, new in zip(row_before, row_after, strict=True):
                assert old in (MASK, new)
    for snapshot in seen:
        for ids, commits in zip(snapshot.ids, snapshot.committed, strict=True):
            assert all(ids[commit.slot] == commit.token for commit in commits)


def test_rows_do_not_influence_each_other() -> None:
    config = SamplerConfig(temperature=1.0, seed=9)
    canvases = [blank((), 6), blank((), 12)]
    together = sample(uniform(SIZE), canvases, config, vocabulary=VOCABULARY)
    alone = sample(uniform(SIZE), canvases[:1], config, vocabulary=VOCABULARY)
    again = sample(uniform(SIZE), canvases, config, vocabulary=VOCABULARY)
    assert together[0] == alone[0]
    assert together == again


def test_a_canvas_may_have_its_own_temperature() -> None:
    said = {byte_id("a"): 0.6, byte_id("b"): 0.3}
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: said)
    canvases = [blank((), 1)] + [blank((), 1, temperature=1.0)] * 40
    results = sample(denoise, canvases, SamplerConfig(), vocabulary=VOCABULARY)
    assert results[0].ids == byte_ids("a")
    drawn = [spelled(result.ids, VOCABULARY) for result in results[1:]]
    assert drawn.count(b"b") > 3
    b = drawn.index(b"b") + 1
    assert results[b].token_p[0] == pytest.approx(0.3, abs=1e-3)


def test_the_nucleus_leaves_out_the_tail() -> None:
    said = {byte_id("a"): 0.5, byte_id("b"): 0.3}
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: said)
    config = SamplerConfig(temperature=1.0, top_p=0.7)
    results = sample(denoise, [blank((), 1)] * 60, config, vocabulary=VOCABULARY)
    assert {spelled(result.ids, VOCABULARY) for result in results} == {b"a", b"b"}


def test_rows_that_are_done_leave_the_batch() -> None:
    # Row lengths tell the rows apart: the short ones fill up first.
    said = {byte_id(c): p for c, p in (("a", 0.3), ("b", 0.2))}
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: said)
    sample(denoise, [blank((), n) for n in (1, 3, 2)], SamplerConfig(), vocabulary=VOCABULARY)
    assert [call.lengths for call in denoise.calls] == [[1, 3, 2], [3, 2], [3]]


def test_only_the_window_of_an_order_is_asked_for() -> None:
    denoise = ScriptedDenoiser(
        SIZE, lambda call, ids, position: {byte_id("abc"[position % 3]): 0.5}
    )
    sample(denoise, [blank(byte_ids("x"), 9)], SamplerConfig(), vocabulary=VOCABULARY)
    assert denoise.calls[0].wanted == [[1, 2, 3, 4]]
    assert denoise.calls[1].wanted == [[2, 3, 4, 5]]
    assert denoise.calls[-1].wanted == [[9]]


def test_certain_tokens_share_a_step() -> None:
    target = byte_ids("abcdefghijkl")
    sure, unsure = oracle(target, SIZE, p=0.9999), oracle(target, SIZE, p=0.9)
    for denoise, calls in ((sure, 3), (unsure, 12)):
        sample(denoise, [blank((), 12)], SamplerConfig(), vocabulary=VOCABULARY)
        assert len(denoise.calls) == calls


def test_a_schedule_spreads_the_slots_over_the_steps() -> None:
    denoise = oracle(byte_ids("abcdefghijkl"), SIZE, p=0.5)
    config = SamplerConfig(schedule=Linear(), max_steps=4)
    seen: list[StepSnapshot] = []
    [result] = sample(denoise, [blank((), 12)], config, vocabulary=VOCABULARY, on_step=seen.append)
    assert [len(snapshot.committed[0]) for snapshot in seen] == [3, 3, 3, 3]
    assert spelled(result.ids, VOCABULARY) == b"abcdefghijkl"


def test_specials_are_never_chosen() -> None:
    said = {MASK: 0.4, BOF: 0.2, PAD: 0.2, SIZE + 3: 0.1, byte_id("k"): 0.05}
    denoise = ScriptedDenoiser(SIZE + 7, lambda call, ids, position: said)  # a padded head
    [result] = sample(denoise, [blank((), 1)], SamplerConfig(), vocabulary=VOCABULARY)
    assert result.ids == byte_ids("k")
    assert result.token_p[0] == pytest.approx(0.5, abs=0.01)  # of the 0.1 that is left to tokens


def test_a_canvas_without_slots_is_returned_as_it_is() -> None:
    canvas = CanvasState(byte_ids("ab"), 2)
    [result] = sample(uniform(SIZE), [canvas], SamplerConfig(), vocabulary=VOCABULARY)
    assert (result.ids, result.steps, result.mean_log_p) == (canvas.ids, 0, 0.0)
    assert result.finished
    assert sample(uniform(SIZE), [], SamplerConfig(), vocabulary=VOCABULARY) == []


@pytest.mark.parametrize("size", [SIZE - 1, 40])
def test_too_few_logits_are_refused(size: int) -> None:
    with pytest.raises(SamplerError, match="shape"):
        sample(uniform(size), [blank((), 3)], SamplerConfig(), vocabulary=VOCABULARY)


def test_nan_is_refused() -> None:
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: {byte_id("a"): math.nan})
    with pytest.raises(SamplerError, match="NaN"):
        sample(denoise, [blank((), 3)], SamplerConfig(), vocabulary=VOCABULARY)


@pytest.mark.parametrize(
    "make",
    [
        lambda: CanvasState(()),
        lambda: CanvasState((PAD, MASK)),
        lambda: CanvasState((MASK,), 1),
        lambda: CanvasState((MASK,), 2),
        lambda: CanvasState((MASK, 40), (True,)),
    ],
)
def test_impossible_canvases_are_refused(make) -> None:
    with pytest.raises(SamplerError):
        make()


@pytest.mark.parametrize(
    "settings", [{"max_steps": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"remask_drop": 0.0}]
)
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        SamplerConfig(**settings)
