"""What others do to a repository while a run is at work on it, or just begins."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters.home import home_of
from diffusion.adapters.manifest import check
from diffusion.adapters.store import AdapterStore
from diffusion.train.control import STOP, Control, want
from diffusion.train.tune_job import run_job
from diffusion.train.tune_stored import noted_name
from tests.support.adapters import publish
from tests.unit.train.test_tune_job import options

FILES = 8
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.slow
def test_a_name_that_is_taken_while_a_run_measures_costs_no_run(
    repository: Path, tiny_model_dir: Path
) -> None:
    def take(event: dict[str, Any]) -> None:
        if event["event"] == "measuring" and "done" not in event:
            publish(repository, tiny_model_dir, "mine", "mine-2")

    last = run_job(repository, options(tiny_model_dir, name="mine"), report=take)
    assert (last["event"], last["adapter"]) == ("done", "mine-3")
    home = home_of(repository)
    store = AdapterStore(home)
    assert check(store.folder / "mine-3").name == noted_name(home.run) == store.selected()


class SteeredAtOnce(Control):
    """Somebody sees that the run has begun, and stops it, before it has done anything."""

    def begin(self) -> None:
        super().begin()
        want(self._run, STOP)


@pytest.mark.slow
def test_a_stop_in_the_moment_in_which_a_run_begins_is_not_lost(
    repository: Path, tiny_model_dir: Path
) -> None:
    run, said = home_of(repository).run, list[str]()

    def hear(event: dict[str, Any]) -> None:
        said.append(event["event"])

    asked = options(tiny_model_dir)
    last = run_job(repository, asked, report=hear, control=SteeredAtOnce(run))
    assert last["event"] == "stopped" and said == ["scanning", "stopped"]

    class Later(Control):
        """The next run, which is steered at its first event."""

        def now(self) -> str:
            found = super().now()
            assert found == "run" or said[-1] == "plan", "what was said to the run before is old"
            return found

    def then(event: dict[str, Any]) -> None:
        hear(event)
        if event["event"] == "plan":
            want(run, STOP)

    last = run_job(repository, asked, report=then, control=Later(run, clock=_ticks()))
    assert last["event"] == "stopped" and "plan" in said


def _ticks() -> Callable[[], float]:
    """A clock on which a second passes whenever it is looked at."""
    return itertools.count(0.0).__next__
