"""What was measured of a run's adapter outlives the start that measured it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters.home import home_of
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import evaluate_case
from diffusion.train import tune_figures
from diffusion.train.control import Control
from diffusion.train.run_state import run_state
from diffusion.train.tune_figures import Pair, compare
from diffusion.train.tune_job import TuneOptions, run_job
from diffusion.train.tune_measure import Measured
from diffusion.train.tune_stored import MEASURED_FILE
from tests.unit.train.tuning import CONFIG

EAGER = replace(CONFIG, learning_rate=0.03, rank=8, average_decay=0.5, most_epochs=0.6)
FILES = 8
CASES = [Case(f"python/{number}", "python", "x = ", str(number), "\n") for number in range(3)]


def pair(number: int) -> Pair:
    before, after = (
        {"exact_match": exact, "edit_similarity": 0.5, "completion": f"\ud800{number}", "ms": 2.0}
        for exact in (False, True)
    )
    return before, after


def said(rows: Pair | None) -> list[dict[str, Any]] | None:
    return None if rows is None else [{**row, "ms": 2.0} for row in rows]


def test_a_hole_s_rows_hold_for_these_models_and_this_hole(tmp_path: Path) -> None:
    first = Measured(tmp_path, "base adapter")
    for number, case in enumerate(CASES[:2]):
        first.keep(case, pair(number))
    again = Measured(tmp_path, "base adapter")
    assert [said(again.known(case)) for case in CASES] == [[*pair(0)], [*pair(1)], None]
    assert again.known(replace(CASES[0], middle="7")) is None
    assert Measured(tmp_path, "base another").known(CASES[0]) is None
    assert Measured(tmp_path, "base adapter").known(CASES[0]) is None, "it went with the adapter"


def test_a_torn_line_is_measured_anew_and_spoils_no_other(tmp_path: Path) -> None:
    first = Measured(tmp_path, "models")
    for number, case in enumerate(CASES[:2]):
        first.keep(case, pair(number))
    file = tmp_path / MEASURED_FILE
    file.write_bytes(file.read_bytes()[:-9])
    again = Measured(tmp_path, "models")
    assert again.known(CASES[0]) is not None and again.known(CASES[1]) is None
    again.keep(CASES[2], pair(2))
    last = Measured(tmp_path, "models")
    assert said(last.known(CASES[2])) == [*pair(2)] and last.known(CASES[0]) is not None


def test_what_is_known_is_not_filled_again(tmp_path: Path) -> None:
    nobody: Any = None  # to fill anything with it would fail
    rows = dict(zip(CASES, map(pair, range(3)), strict=True))
    compared = compare(nobody, nobody, CASES, known=rows.get, gate=lambda: False)
    assert compared is not None and (compared.gained, compared.lost) == (3, 0)
    del rows[CASES[2]]
    assert compare(nobody, nobody, CASES, known=rows.get, gate=lambda: False) is None


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_pause_while_it_measures_is_told(repository: Path, tiny_model_dir: Path) -> None:
    options = TuneOptions(config=EAGER, model=tiny_model_dir, cases=1, general_cases=0)
    control, states = Control(home_of(repository).run), list[str]()
    untold = threading.Timer(5.0, control.tell, ["resume"])

    def hear(event: dict[str, Any]) -> None:
        states.append(f"{event['event']}: {run_state(home_of(repository).run)['state']}")
        if event["event"] == "measuring":
            control.tell("pause")
            untold.start()
        elif event["event"] == "paused":
            untold.cancel()
            control.tell("resume")

    run_job(repository, options, report=hear, control=control)
    begun = states.index("measuring: runs")
    assert states[begun:] == ["measuring: runs", "paused: paused", "resumed: runs", "done: done"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_start_goes_on_where_the_last_one_stopped_measuring(
    repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TuneOptions(config=EAGER, model=tiny_model_dir, cases=2, general_cases=2)
    filled: list[str] = []
    ends: list[str] = []

    def start(stop_after: int) -> None:
        control = Control(home_of(repository).run)
        begun = len(filled)

        def fill(filler: Any, case: Case, *more: Any) -> dict[str, Any]:
            filled.append(case.task_id)
            if len(filled) - begun == stop_after:
                control.tell("stop")
            return evaluate_case(filler, case, *more)

        monkeypatch.setattr(tune_figures, "evaluate_case", fill)
        ends.append(run_job(repository, options, control=control)["event"])

    for stop_after in (2, 3, 99):  # behind a hole, and between the two models
        start(stop_after)
    assert ends == ["stopped", "stopped", "done"]
    assert len(filled) == 2 * 4 + 1, "of one hole the first model's row was lost"
