"""The rules of a canvas, one by one, with denoisers that try to break them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffusion.cancel import Cancelled, CancelToken
from diffusion.process.canvas_state import CanvasState, StepSnapshot
from diffusion.process.sampler import sample
from diffusion.process.sampler_config import SamplerConfig
from diffusion.process.unmasking import Confidence, LeftmostFirst
from diffusion.text.tokenizer import DEL, MASK
from tests.support.denoisers import (
    Distribution,
    ScriptedDenoiser,
    byte_id,
    byte_ids,
    byte_vocabulary,
    spelled,
    uniform,
)
from tests.support.orders import Shuffled

WORDS = (b"return", b"ret", b" result", b"results", b"\n    ")
VOCABULARY = byte_vocabulary(*WORDS)
SIZE = VOCABULARY.size
WORD_ID = {word: 288 + i for i, word in enumerate(WORDS)}


def blank(slots: int, pins: str = "", constraint: bytes = b"") -> CanvasState:
    return CanvasState(byte_ids(pins) + (MASK,) * slots, len(pins), constraint)


def by_position(*said: Distribution) -> ScriptedDenoiser:
    return ScriptedDenoiser(SIZE, lambda call, ids, position: said[position])


# DEL


def test_the_first_del_turns_everything_right_of_it_to_del() -> None:
    denoise = ScriptedDenoiser(
        SIZE, lambda call, ids, position: {byte_id("abcdef"[position]): 0.6, DEL: 0.3}
    )
    denoise.script = lambda call, ids, position: (
        {DEL: 0.6} if position == 2 else {byte_id("abcdef"[position]): 0.6}
    )
    [result] = sample(denoise, [blank(6)], SamplerConfig(), vocabulary=VOCABULARY)
    assert result.ids == (*byte_ids("ab"), DEL, DEL, DEL, DEL)
    assert (result.reason, result.steps) == ("ended", 3)
    assert result.token_p == pytest.approx([0.6] * 6, abs=1e-3)
    assert result.mean_log_p == pytest.approx(math.log(0.6), abs=1e-3)  # three tokens, one DEL


def test_del_is_committed_only_when_all_left_of_it_is_filled() -> None:
    # Sure of DEL from the start, but only where the text may end.
    denoise = ScriptedDenoiser(
        SIZE,
        lambda call, ids, position: (
            {DEL: 0.999} if position >= 3 else {byte_id("abc"[position]): 0.5}
        ),
    )
    for order in (Confidence(), Shuffled(), LeftmostFirst(contiguous=False)):
        [result] = sample(denoise, [blank(6)], SamplerConfig(order=order), vocabulary=VOCABULARY)
        assert spelled(result.ids, VOCABULARY) == b"abc"
        assert result.reason == "ended"


def test_a_sure_del_right_behind_a_token_takes_no_step_of_its_own() -> None:
    for p, calls in ((0.99, 1), (0.8, 2)):
        denoise = by_position({byte_id("a"): 0.5}, {DEL: p}, {DEL: p})
        [result] = sample(denoise, [blank(3)], SamplerConfig(), vocabulary=VOCABULARY)
        assert result.ids == (byte_id("a"), DEL, DEL)
        assert len(denoise.calls) == result.steps == calls


def test_del_may_not_stand_left_of_a_token() -> None:
    denoise = by_position({DEL: 0.6, byte_id("a"): 0.2}, {byte_id("b"): 0.9}, {DEL: 0.99})
    [result] = sample(denoise, [blank(3)], SamplerConfig(order=Confidence()), vocabulary=VOCABULARY)
    assert result.ids == (*byte_ids("ab"), DEL)


def test_an_empty_hole_is_an_answer_unless_it_is_not_allowed() -> None:
    said: Distribution = {DEL: 0.9, byte_id("z"): 0.05}
    for allow_empty, text in ((True, b""), (False, b"z")):
        [result] = sample(
            ScriptedDenoiser(SIZE, lambda call, ids, position: said),
            [blank(4, "x")],
            SamplerConfig(allow_empty=allow_empty),
            vocabulary=VOCABULARY,
        )
        assert spelled(result.ids[1:], VOCABULARY) == text
        assert result.finished


def test_text_that_only_spells_the_constraint_is_empty() -> None:
    first: Distribution = {DEL: 0.9, WORD_ID[b"ret"]: 0.05}
    then: Distribution = {DEL: 0.9, byte_id("z"): 0.05}
    for allow_empty, text in ((True, b"ret"), (False, b"retz")):
        [result] = sample(
            by_position(first, then, then, then),
            [blank(4, constraint=b"ret")],
            SamplerConfig(allow_empty=allow_empty),
            vocabulary=VOCABULARY,
        )
        assert spelled(result.ids, VOCABULARY) == text


@pytest.mark.parametrize(("allow_empty", "text"), [(True, b"re"), (False, b"retx")])
def test_where_slots_are_scarce_one_is_kept_for_what_is_added(
    allow_empty: bool, text: bytes
) -> None:
    denoise = by_position(
        {byte_id("r"): 0.9, WORD_ID[b"ret"]: 0.05}, {byte_id("x"): 0.6, byte_id("e"): 0.3}
    )
    config = SamplerConfig(allow_empty=allow_empty)
    [result] = sample(denoise, [blank(2, constraint=b"re")], config, vocabulary=VOCABULARY)
    assert spelled(result.ids, VOCABULARY) == text


def test_pins_right_of_a_del_stay() -> None:
    canvas = CanvasState((MASK, MASK, byte_id(")")), (False, False, True))
    denoise = by_position({byte_id("a"): 0.9}, {DEL: 0.9}, {})
    [result] = sample(denoise, [canvas], SamplerConfig(), vocabulary=VOCABULARY)
    assert result.ids == (byte_id("a"), DEL, byte_id(")"))


# The constraint


@settings(max_examples=40, deadline=None)
@given(
    constraint=st.sampled_from([b"r", b"re", b"ret", b"retu", b" res", b"\n  ", b"q\xffq", b"rr"]),
    temperature=st.sampled_from([0.0, 2.0]),
    order=st.sampled_from([LeftmostFirst(), Confidence(), Shuffled()]),
    seed=st.integers(0, 20),
)
def test_slots_spell_the_constraint_first(constraint, temperature, order, seed) -> None:
    config = SamplerConfig(order=order, temperature=temperature, seed=seed)
    [result] = sample(uniform(SIZE), [blank(6, "if", constraint)], config, vocabulary=VOCABULARY)
    assert result.finished and result.constraint_met
    assert spelled(result.ids[2:], VOCABULARY).startswith(constraint)


def test_the_constraint_is_spelled_before_other_slots_and_its_p_is_given_it() -> None:
    seen: list[StepSnapshot] = []
    denoise = ScriptedDenoiser(
        SIZE,
        lambda call, ids, position: (
            {byte_id("q"): 0.9, WORD_ID[b"return"]: 0.03, WORD_ID[b"ret"]: 0.01}
            if position == 0
            else {byte_id("abc"[position - 1]): 0.99}
        ),
    )
    [result] = sample(
        denoise,
        [blank(4, constraint=b"re")],
        SamplerConfig(),
        vocabulary=VOCABULARY,
        on_step=seen.append,
    )
    assert spelled(result.ids, VOCABULARY) == b"returnabc"
    assert denoise.calls[0].wanted == [[0]]
    assert [commit.slot for commit in seen[0].committed[0]] == [0]
    assert result.token_p[0] == pytest.approx(0.75, abs=0.02)  # of return, ret, r


def test_the_last_slot_finishes_the_constraint_if_it_can() -> None:
    said: Distribution = {byte_id("r"): 0.9, WORD_ID[b"return"]: 0.01}
    [result] = sample(
        by_position(said), [blank(1, constraint=b"retu")], SamplerConfig(), vocabulary=VOCABULARY
    )
    assert spelled(result.ids, VOCABULARY) == b"return" and result.constraint_met


def test_a_canvas_too_short_for_the_constraint_is_unfinished_and_says_so() -> None:
    [result] = sample(
        uniform(SIZE), [blank(2, constraint=b"xyz")], SamplerConfig(), vocabulary=VOCABULARY
    )
    assert not result.finished and not result.constraint_met
    assert result.reason == "constraint"


def test_a_constraint_that_no_token_spells_drops_only_its_row() -> None:
    table = [b""] * 32 + [b"a", b"b", b"bc"]
    from diffusion.process.vocabulary import Vocabulary

    vocabulary = Vocabulary.build(table.__getitem__, len(table))
    canvases = [CanvasState((MASK,) * 3, 0, b"c"), CanvasState((MASK,) * 3, 0, b"b")]
    denoise = uniform(len(table))
    hopeless, fine = sample(denoise, canvases, SamplerConfig(), vocabulary=vocabulary)
    assert (hopeless.reason, hopeless.steps) == ("constraint", 0)
    assert fine.finished and fine.constraint_met
    assert all(len(call.ids) == 1 for call in denoise.calls)


# Guards


def test_equal_neighbours_of_one_step_need_near_certainty() -> None:
    for p, calls in ((0.97, 2), (0.995, 1)):
        denoise = ScriptedDenoiser(SIZE, lambda call, ids, position, p=p: {byte_id("a"): p})
        config = SamplerConfig(order=LeftmostFirst(entropy_budget=None))
        [result] = sample(denoise, [blank(2)], config, vocabulary=VOCABULARY)
        assert result.ids == byte_ids("aa")
        assert len(denoise.calls) == calls


def test_a_third_repetition_gives_way_to_the_next_best_token() -> None:
    said: Distribution = {byte_id("a"): 0.8, byte_id("b"): 0.1}
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: said)
    [result] = sample(denoise, [blank(5)], SamplerConfig(), vocabulary=VOCABULARY)
    assert spelled(result.ids, VOCABULARY) == b"aabaa"
    assert result.token_p[2] == pytest.approx(0.1, abs=0.01)


def test_closers_may_repeat() -> None:
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: {byte_id(")"): 0.8})
    [result] = sample(denoise, [blank(5)], SamplerConfig(), vocabulary=VOCABULARY)
    assert spelled(result.ids, VOCABULARY) == b")))))"


def test_the_constraint_outranks_the_guards() -> None:
    denoise = uniform(SIZE)
    [result] = sample(
        denoise, [blank(4, "aa", constraint=b"aa")], SamplerConfig(), vocabulary=VOCABULARY
    )
    assert spelled(result.ids, VOCABULARY).startswith(b"aaaa")


# Deadline, steps, cancellation


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def ticking(clock: Clock, pass_s: float, p: float = 0.6) -> ScriptedDenoiser:
    """Spells abcdefgh... with probability `p`; each call takes `pass_s`."""

    def before(call: int) -> None:
        clock.now_s += pass_s

    return ScriptedDenoiser(
        SIZE, lambda call, ids, position: {byte_id(chr(97 + position)): p}, before
    )


def test_at_the_deadline_the_filled_part_is_the_answer() -> None:
    clock = Clock()
    denoise = ticking(clock, 0.010)
    [result] = sample(
        denoise,
        [blank(8, "a")],
        SamplerConfig(),
        vocabulary=VOCABULARY,
        deadline_s=100.0351,
        clock=clock,
    )
    assert len(denoise.calls) == 3  # a fourth would end at 100.040
    assert clock.now_s <= 100.0351
    assert result.ids == (*byte_ids("abcd"), *[DEL] * 5)
    assert (result.reason, result.finished, result.steps) == ("deadline", False, 3)
    assert result.token_p[1:] == pytest.approx([0.6] * 3 + [0.0] * 5, abs=1e-3)


def test_what_the_last_pass_was_sure_of_is_drafted_at_the_deadline() -> None:
    clock = Clock()
    denoise = ticking(clock, 0.010, p=0.92)  # too unsure for an extra, sure enough for a draft
    for draft_p, text in ((0.9, b"abcd"), (1.1, b"a")):
        clock.now_s = 100.0
        [result] = sample(
            denoise,
            [blank(8)],
            SamplerConfig(draft_p=draft_p),
            vocabulary=VOCABULARY,
            deadline_s=100.0151,
            clock=clock,
        )
        assert spelled(result.ids, VOCABULARY) == text
        assert result.reason == "deadline"


def test_a_draft_may_not_repeat_the_token_before_it() -> None:
    denoise = ScriptedDenoiser(SIZE, lambda call, ids, position: {byte_id("a"): 0.92})
    config = SamplerConfig(max_steps=1)
    [result] = sample(denoise, [blank(4)], config, vocabulary=VOCABULARY)
    assert spelled(result.ids, VOCABULARY) == b"a"


def test_a_draft_may_not_end_the_hole_left_of_a_token() -> None:
    denoise = by_position({byte_id("a"): 0.92}, {DEL: 0.95}, {byte_id("c"): 0.99})
    config = SamplerConfig(order=Confidence(), max_steps=1)
    [result] = sample(denoise, [blank(3)], config, vocabulary=VOCABULARY)
    assert result.ids == (byte_id("a"), DEL, DEL)
    assert (result.reason, result.finished) == ("max_steps", False)


def test_a_cut_leaves_no_gap_in_the_text() -> None:
    denoise = by_position(
        *({byte_id(c): p} for c, p in (("a", 0.5), ("b", 0.3), ("c", 0.6), ("d", 0.2), ("e", 0.1)))
    )
    [result] = sample(
        denoise,
        [blank(5)],
        SamplerConfig(order=Confidence(), max_steps=2),
        vocabulary=VOCABULARY,
    )
    assert result.ids == (byte_id("a"), DEL, DEL, DEL, DEL)  # c was filled, and given up
    assert result.reason == "max_steps"
    assert result.mean_log_p == pytest.approx(math.log(0.5), abs=1e-3)


def test_a_deadline_already_over_costs_no_pass() -> None:
    denoise = uniform(SIZE)
    [result] = sample(
        denoise,
        [blank(3)],
        SamplerConfig(),
        vocabulary=VOCABULARY,
        deadline_s=99.0,
        clock=Clock(),
    )
    assert denoise.calls == []
    assert (result.ids, result.mean_log_p) == ((DEL,) * 3, -math.inf)
    assert (result.reason, result.finished) == ("deadline", False)


@pytest.mark.parametrize("at_call", [0, 1, 4])
def test_cancellation_takes_effect_within_one_step(at_call: int) -> None:
    token = CancelToken()

    def before(call: int) -> None:
        if call == at_call:
            token.cancel("the user typed on")

    denoise = ScriptedDenoiser(
        SIZE, lambda call, ids, position: {byte_id(chr(97 + position)): 0.5}, before
    )
    with pytest.raises(Cancelled, match="typed on"):
        sample(denoise, [blank(9)], SamplerConfig(), vocabulary=VOCABULARY, cancel=token)
    assert len(denoise.calls) == at_call + 1


def test_a_request_cancelled_beforehand_costs_no_pass() -> None:
    token = CancelToken()
    token.cancel()
    denoise = uniform(SIZE)
    with pytest.raises(Cancelled):
        sample(denoise, [blank(9)], SamplerConfig(), vocabulary=VOCABULARY, cancel=token)
    assert denoise.calls == []
