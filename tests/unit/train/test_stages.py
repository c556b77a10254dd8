"""The plans of a run: their parts follow one another up to the end, and end on what is served."""

from __future__ import annotations

from itertools import pairwise

import pytest

from diffusion.errors import ConfigError
from diffusion.train.stages import FREE, PLANS, plan


@pytest.mark.parametrize("row_tokens", [512, 1024])
@pytest.mark.parametrize("name", PLANS)
def test_parts_follow_one_another_up_to_the_end(name: str, row_tokens: int) -> None:
    stages = plan(name, row_tokens)
    ends = [stage.until for stage in stages]
    assert all(a < b for a, b in pairwise((0.0, *ends))) and ends[-1] == 1.0
    assert len({stage.name for stage in stages}) == len(stages)


@pytest.mark.parametrize("name", sorted(PLANS.keys() - {"three", "causal"}))
def test_a_run_ends_on_canvases_that_do_not_tell_how_long_their_text_is(name: str) -> None:
    last = plan(name, 1024)[-1]
    assert not last.causal
    assert last.example.free_sizes == FREE.free_sizes
    assert last.example.exact_length == FREE.exact_length


def test_finished_weights_go_on_from_left_to_right_to_what_people_leave() -> None:
    assert [stage.name for stage in plan("further", 1024)] == ["causal", "infill", "typed", "decay"]


def test_an_unknown_plan_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'sideways'.*full.*further.*settle"):
        plan("sideways", 512)
