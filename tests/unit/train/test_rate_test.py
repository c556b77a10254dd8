"""The test of learning rates: what it chooses, and that it leaves nothing behind but the choice."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.data.repository import scan_repository
from diffusion.data.shards import ShardSet
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.control import Control
from diffusion.train.rate_test import (
    NO_GAIN,
    TESTED,
    TIMES,
    TOO_LONG,
    ChosenRate,
    choose_rate,
)
from diffusion.train.tune_checkpoint import AVERAGE, OPTIMISER, TRAINED, newest
from diffusion.train.tune_data import DATA, JUDGE, TRAIN, TRIAL, can_judge, write_data
from tests.support.repositories import write_repository
from tests.unit.train.tuning import AUTO, tune, write_run

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
INF = math.inf


def choose(losses: list[float | None], *, step_s: float = 0.0) -> tuple[ChosenRate | None, int]:
    """The choice around 1.0 from a start at 5.0, and how many rates were tried."""
    tried: list[float] = []

    def trial(rate: float) -> float | None:
        tried.append(rate)
        return losses[len(tried) - 1]

    clock = itertools.count(0.0, step_s).__next__
    return choose_rate(1.0, 5.0, trial, allowed_s=10.0, clock=clock), len(tried)


@pytest.mark.parametrize(
    ("losses", "rate", "why", "tried"),
    [
        pytest.param([4.9, 4.8, 4.6, 4.2, 4.9], 1.0, TESTED, 5, id="half of the best"),
        pytest.param([4.9, 4.8, 4.22, 4.2, 4.3], 0.5, TESTED, 5, id="nearly as good and lower"),
        pytest.param([4.9, 4.8, 4.6, 4.3, 3.9], 2.0, TESTED, 5, id="the highest is not taken"),
        pytest.param([4.9, 4.6, 4.8], 0.25, TESTED, 3, id="no higher once it gets worse"),
        pytest.param([4.9, 4.6, INF], 0.25, TESTED, 3, id="no higher once it is no number"),
        pytest.param([4.9, 4.6, math.nan], 0.25, TESTED, 3, id="NaN counts as worse"),
        pytest.param([4.5, 4.6], 0.25, TESTED, 2, id="no lower than the lowest"),
        pytest.param([5.3], 0.25, TESTED, 1, id="all do harm"),
        pytest.param([INF], 0.25, TESTED, 1, id="no rate is low enough"),
        pytest.param([5.0, 5.0, 5.0, 5.0, 5.0], 1.0, NO_GAIN, 5, id="nothing moves"),
    ],
)
def test_what_is_chosen(losses: list[float], rate: float, why: str, tried: int) -> None:
    chosen, count = choose(list(losses))
    assert chosen is not None
    assert (chosen.rate, chosen.why, count) == (rate, why, tried)
    assert list(chosen.losses) == ["0", *(f"{times:g}" for times in TIMES[:tried])]
    assert all(loss is None or math.isfinite(loss) for loss in chosen.losses.values()), "is JSON"


@pytest.mark.parametrize(
    ("step_s", "why", "tried", "rate"),
    [
        (1.9, TESTED, TIMES, 1.0),
        (2.1, TESTED, (0.25, 1.0, 4.0), 2.0),
        (3.4, TOO_LONG, (0.25,), 1.0),
    ],
)
def test_less_is_tried_where_ten_seconds_hold_no_more(
    step_s: float, why: str, tried: tuple[float, ...], rate: float
) -> None:
    falling = [4.9, 4.8, 4.2] if len(tried) == 3 else [4.9, 4.8, 4.7, 4.2, 4.21]
    chosen, count = choose([*falling], step_s=step_s)
    assert chosen is not None
    assert (chosen.why, chosen.rate, count) == (why, rate, len(tried))
    assert list(chosen.losses) == ["0", *(f"{times:g}" for times in tried)]


def test_told_to_stop_there_is_no_choice() -> None:
    assert choose([4.9, None]) == (None, 2)


def documents(run: Path, split: str) -> set[tuple[int, ...]]:
    shards = ShardSet.open(run / DATA, split)
    return {
        tuple(shards.document(language, number).tolist())
        for language in shards.languages
        for number in range(len(shards[language]))
    }


def test_rates_are_judged_on_training_files_that_no_trial_sees(tmp_path: Path) -> None:
    run = write_run(tmp_path, TOKENIZER, 20)
    judge, trial = documents(run, JUDGE), documents(run, TRIAL)
    assert judge and trial and not judge & trial
    assert judge | trial == documents(run, TRAIN)
    few = scan_repository(write_repository(tmp_path / "few", 4))  # one of them is held out
    write_data(tmp_path / "few-run", few, TOKENIZER)
    assert can_judge(run) and not can_judge(tmp_path / "few-run")


# On a tiny model


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("rates"), TOKENIZER)


@pytest.fixture
def copy(shards: Path, tmp_path: Path) -> Callable[[str], Path]:
    def made(name: str) -> Path:
        return Path(shutil.copytree(shards, tmp_path / name))

    return made


def weights(run: Path) -> dict[str, torch.Tensor]:
    found = newest(run)
    assert found is not None and found.state.step == 2
    return {
        f"{part}/{name}": tensor
        for part in (TRAINED, AVERAGE, OPTIMISER)
        for name, tensor in found.tensors[part].items()
    }


class StopAfter(Control):
    """Says stop when it is asked for the `times`-th time."""

    def __init__(self, run: Path, times: int) -> None:
        super().__init__(run)
        self.left = times

    def now(self) -> str:
        self.left -= 1
        return "stop" if self.left < 0 else "run"


@pytest.mark.slow
def test_the_test_leaves_the_choice_and_nothing_else(
    copy: Callable[[str], Path], tmp_path: Path, tiny_model_dir: Path
) -> None:
    events: list[dict[str, Any]] = []
    tuned = tune(copy("auto"), tiny_model_dir, 2, config=AUTO, report=events.append)
    chosen = next(event for event in events if event["event"] == "rate")
    assert chosen["rate"] == tuned.state.rate and chosen["why"] == tuned.state.rate_why
    assert len(chosen["losses"]) >= 2, "at least one rate was tried"
    given = replace(AUTO, learning_rate=tuned.state.rate)
    fixed = tune(copy("given"), tiny_model_dir, 2, config=given)
    assert fixed.state.rate_why == "given"
    one, other = weights(tmp_path / "auto"), weights(tmp_path / "given")
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.slow
def test_a_run_goes_on_with_its_rate_and_tests_no_more(
    copy: Callable[[str], Path], tiny_model_dir: Path
) -> None:
    run = copy("run")
    first = tune(run, tiny_model_dir, 1, config=AUTO)
    events: list[dict[str, Any]] = []
    second = tune(run, tiny_model_dir, 2, config=AUTO, report=events.append)
    assert second.state.step == 2 and second.state.rate == first.state.rate
    assert second.state.rate_losses == first.state.rate_losses
    assert not {event["event"] for event in events} & {"rate", "choosing_rate"}


@pytest.mark.slow
def test_a_test_that_was_stopped_begins_again(
    copy: Callable[[str], Path], tmp_path: Path, tiny_model_dir: Path
) -> None:
    unbroken = tune(copy("unbroken"), tiny_model_dir, 2, config=AUTO)
    run = copy("run")
    stopped = tune(run, tiny_model_dir, 2, config=AUTO, control=StopAfter(run, 5))
    assert stopped.stopped and stopped.trained is None and newest(run) is None
    again = tune(run, tiny_model_dir, 2, config=AUTO)
    assert again.state.rate_losses == unbroken.state.rate_losses
    one, other = weights(run), weights(tmp_path / "unbroken")
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.slow
def test_a_day_that_reaches_no_further_than_the_base_model_is_not_lost(
    copy: Callable[[str], Path], tmp_path: Path, tiny_model_dir: Path
) -> None:
    unbroken = tune(copy("unbroken"), tiny_model_dir, 2, config=AUTO)
    run, days = copy("run"), list[list[str]]()
    while len(days) < 9:
        control, said = Control(run), list[str]()

        def hear(
            event: dict[str, Any], control: Control = control, said: list[str] = said
        ) -> None:
            said.append(event["event"])
            if event["event"] in ("validation", "rate"):
                control.tell("stop")  # the day is used up

        days.append(said)
        if not tune(run, tiny_model_dir, 2, config=AUTO, control=control, report=hear).stopped:
            break
    assert days[0] == ["validation"], "the base model's own loss"
    assert "validation" not in days[1] and days[1][:2] == ["choosing_rate", "rate"]
    assert len(days) < 9 and days[-1][-1] == "validation"
    found = newest(run)
    assert found is not None and found.state.base_loss == unbroken.state.base_loss
    one, other = weights(run), weights(tmp_path / "unbroken")
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_what_is_worse_is_told_by_the_best_loss_and_not_by_the_last() -> None:
    """Each rises by less than counts, both together by more."""
    chosen, tried = choose([4.60, 4.605, 4.612, 4.613, 4.614])
    assert chosen is not None and tried == 3
