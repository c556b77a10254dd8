"""A run that is not over: the next start goes on with it, refuses, or begins anew, and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.adapters.home import home_of
from diffusion.adapters.store import AdapterStore
from diffusion.cancel import Cancelled
from diffusion.data.repository import scan_repository
from diffusion.data.shards import ShardSet
from diffusion.errors import AdapterError, TrainingError
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.control import Control
from diffusion.train.keep_up import situation, why_not
from diffusion.train.plan import make_plan
from diffusion.train.run_log import RunLog
from diffusion.train.run_state import run_state
from diffusion.train.tune_data import DATA, GENERAL, write_data
from diffusion.train.tune_job import TuneOptions, plan_only, run_job
from diffusion.train.tune_step import Futile
from diffusion.train.tune_stored import (
    CHOSEN,
    OtherOptions,
    StoredRun,
    check_options,
    digests,
    end,
    forget,
    store,
    stored_run,
    why_anew,
)
from tests.support.repositories import PLANTED, code
from tests.unit.train.tuning import CONFIG

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


FILES = 6
pytestmark = pytest.mark.usefixtures("one_thread")


class Start:
    """A start that is told to stop at an event; `said` is what it said until it did."""

    def __init__(self, repository: Path, model: Path, at: str = "plan", **options: Any) -> None:
        self.said: list[dict[str, Any]] = []
        control = Control(home_of(repository).run)

        def hear(event: dict[str, Any]) -> None:
            self.said.append(event)
            if event["event"] == at:
                control.tell("stop")

        chosen = TuneOptions(model=model, **{"config": CONFIG, **options})
        self.last = run_job(repository, chosen, report=hear, control=control)

    @property
    def events(self) -> list[str]:
        return [event["event"] for event in self.said]


def text(repository: Path) -> bytes:
    """All that the run learns from or is measured on."""
    found = b""
    for split in ("train", "validation"):
        shards = ShardSet.open(home_of(repository).run / DATA, split)
        for language in shards.languages:
            for number in range(len(shards[language])):
                found += TOKENIZER.decode(shards.document(language, number).tolist())
    return found


BEGUN = ["scanning", "plan", "stopped"]
WENT_ON = ["resumed", "stopped"]
ANEW = ["warning", *BEGUN]


@pytest.mark.slow
def test_a_run_stops_while_it_scans(repository: Path, tiny_model_dir: Path) -> None:
    start = Start(repository, tiny_model_dir, "scanning")
    assert start.events == ["scanning", "stopped"] and start.last["event"] == "stopped"
    home = home_of(repository)
    assert stored_run(home.run) is None and not (home.run / DATA).exists()
    assert situation(home, 30.0).unfinished
    assert Start(repository, tiny_model_dir).events == BEGUN


@pytest.mark.slow
def test_the_same_command_goes_on(repository: Path, tiny_model_dir: Path) -> None:
    assert Start(repository, tiny_model_dir).events == BEGUN
    before = text(repository)
    (repository / "module_1.py").write_text(code(50))
    (repository / "module_2.py").unlink()
    assert Start(repository, tiny_model_dir, "resumed", minutes=3.0).events == WENT_ON
    assert text(repository) == before


@pytest.mark.slow
@pytest.mark.parametrize(("select", "selected"), [(None, None), (True, "mine")])
def test_whether_an_adapter_is_served_is_the_run_s_own(
    repository: Path, tiny_model_dir: Path, select: bool | None, selected: str | None
) -> None:
    eager = replace(CONFIG, learning_rate=0.03, rank=8, average_decay=0.5, most_epochs=0.6)
    more = {"config": eager, "cases": 1, "general_cases": 0}
    Start(repository, tiny_model_dir, name="mine", select=False, **more)
    last = Start(repository, tiny_model_dir, "done", select=select, **more).last
    assert (last["event"], last["adapter"]) == ("done", "mine")
    assert AdapterStore(home_of(repository)).selected() == selected


@pytest.mark.slow
def test_other_options_are_refused_and_the_run_stays(
    repository: Path, tiny_model_dir: Path
) -> None:
    Start(repository, tiny_model_dir)
    home = home_of(repository)
    status = run_state(home.run)
    options = {"config": replace(CONFIG, learning_rate=5e-5)}
    with pytest.raises(TrainingError, match=r"not --learning-rate 5e-05.*--fresh"):
        Start(repository, tiny_model_dir, **options)
    assert run_state(home.run) == status and situation(home, 30.0).unfinished
    kept = {**options, "chosen": frozenset()}
    assert Start(repository, tiny_model_dir, "resumed", **kept).events == WENT_ON
    assert Start(repository, tiny_model_dir, fresh=True, **options).events == BEGUN
    assert Start(repository, tiny_model_dir, "resumed", **options).events == WENT_ON


@pytest.mark.slow
def test_what_is_ignored_since_is_not_learned(repository: Path, tiny_model_dir: Path) -> None:
    Start(repository, tiny_model_dir)
    gone = (repository / "module_3.py").read_bytes()
    assert gone in text(repository)
    (repository / ".diffillignore").write_text("module_3.py\n")
    start = Start(repository, tiny_model_dir)
    assert start.events == ANEW
    assert "module_3.py is left out now (diffillignore, module_3.py)" in start.said[0]["message"]
    assert gone not in text(repository)
    assert Start(repository, tiny_model_dir, "resumed").events == WENT_ON


@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_a_status_that_a_power_cut_has_torn_costs_no_run(
    repository: Path, tiny_model_dir: Path, damage: bytes | None
) -> None:
    Start(repository, tiny_model_dir)
    status = home_of(repository).run / "status.json"
    status.unlink()
    if damage is not None:
        status.write_bytes(damage)
        assert run_state(status.parent)["state"] == "interrupted"
    assert Start(repository, tiny_model_dir, "resumed").events == WENT_ON


@pytest.mark.slow
def test_a_run_that_is_over_stays_over(repository: Path, tiny_model_dir: Path) -> None:
    Start(repository, tiny_model_dir)
    run = home_of(repository).run
    end(run, {"event": "done", "adapter": "mine"})
    RunLog(run, lambda event: None, enabled=True).write({"event": "done", "adapter": "mine"})
    status = run_state(run)
    with pytest.raises(AdapterError, match="is no model"):
        Start(repository, repository / "none")
    assert run_state(run) == status and status["state"] == "done"
    (run / "status.json").write_bytes(b"")
    assert run_state(run) == {"event": "done", "adapter": "mine", "state": "done"}
    (repository / "module_1.py").write_text(code(50))
    assert Start(repository, tiny_model_dir).events == BEGUN
    assert code(50).encode() in text(repository)


@pytest.mark.slow
def test_a_plan_tells_of_a_run_that_is_not_over(repository: Path, tiny_model_dir: Path) -> None:
    def note(**more: Any) -> str:
        options = TuneOptions(model=tiny_model_dir, **{"config": CONFIG, **more})
        return plan_only(repository, options, probe_s=0).notes[-1]

    unmentioned = note()
    Start(repository, tiny_model_dir)
    assert "the next start goes on with it" in note() and "not over" not in unmentioned
    assert "begun with --method lora" in note(config=replace(CONFIG, method="full"))
    assert note(fresh=True) == unmentioned
    (repository / ".diffillignore").write_text("module_3.py\n")
    assert "begins anew: module_3.py is left out now" in note()


@pytest.mark.slow
def test_who_stops_the_scan_of_a_fresh_start_still_has_the_older_run(
    repository: Path, tiny_model_dir: Path
) -> None:
    Start(repository, tiny_model_dir)
    before = text(repository)
    (repository / "module_1.py").write_text(code(50))
    assert Start(repository, tiny_model_dir, "scanning", fresh=True).last["event"] == "stopped"
    assert Start(repository, tiny_model_dir, "resumed").events == WENT_ON
    assert text(repository) == before
    assert Start(repository, tiny_model_dir, fresh=True).events == BEGUN
    assert text(repository) != before


@pytest.mark.slow
def test_what_would_fail_again_is_tried_once_until_files_change(
    repository: Path, tiny_model_dir: Path
) -> None:
    wild = replace(CONFIG, learning_rate=1e30)
    home = home_of(repository)
    for _ in range(2):  # the same command begins anew
        with pytest.raises(Futile, match="nothing was published"):
            Start(repository, tiny_model_dir, "done", config=wild)
        now = situation(home, 30.0)
        assert run_state(home.run)["state"] == "failed" and stored_run(home.run) is None
        assert why_not(replace(now, on_battery=False)) == "nothing has changed since the last run"
    (repository / "module_1.py").write_text(code(50))
    assert why_not(replace(situation(home, 30.0), on_battery=False)) is None


# What decides, without a model


@pytest.fixture
def stored(repository: Path) -> StoredRun:
    known = digests(scan_repository(repository))
    return StoredRun(CONFIG, {"files": 5}, "base", "mine", False, known)


def test_a_run_is_there_until_it_is_over(tmp_path: Path, stored: StoredRun) -> None:
    run = tmp_path / "run"
    assert stored_run(run) is None
    for name in (DATA, GENERAL):
        (run / name).mkdir(parents=True)
    assert stored_run(run) is None
    for run_s_own in (replace(stored, select=False), stored):
        store(run, run_s_own)
        assert stored_run(run) == run_s_own
    end(run, {"event": "done"})
    assert stored_run(run) is None
    forget(run)
    store(run, stored)
    assert stored_run(run) is None, "its text went with the older run"


def test_text_and_plan_can_be_broken_off_and_leave_nothing(
    repository: Path, tmp_path: Path
) -> None:
    def stop() -> None:
        raise Cancelled

    found = scan_repository(repository)
    with pytest.raises(Cancelled):
        write_data(tmp_path / "run", found, TOKENIZER, on_progress=stop)
    assert not (tmp_path / "run").exists()
    with pytest.raises(Cancelled):
        make_plan(found, TOKENIZER, CONFIG, 1.0, on_progress=stop)


@pytest.mark.parametrize(
    ("config", "licence_headers", "said"),
    [
        ({"learning_rate": None}, False, "0.01, not --learning-rate auto"),
        ({"method": "full"}, False, "begun with --method lora, not --method full"),
        ({}, True, "begun with no --licence-headers, not --licence-headers"),
    ],
)  # fmt: skip
def test_options_that_a_run_is_bound_to(
    stored: StoredRun, config: Any, licence_headers: bool, said: str
) -> None:
    others = replace(CONFIG, **config)
    with pytest.raises(OtherOptions, match=said):
        check_options(stored, others, licence_headers, CHOSEN)
    check_options(stored, others, licence_headers, frozenset())
    check_options(stored, replace(CONFIG, threads=7, bf16=True, rows=9), False, CHOSEN)


def test_a_run_begins_anew_for_a_reason(repository: Path, stored: StoredRun) -> None:
    def why(run: StoredRun = stored, base: str = "base") -> str:
        return str(why_anew(run, base, repository))

    assert why() == "None"
    assert "another base model" in why(base="other")
    assert "in another way" in why(replace(stored, searched=1))
    with (repository / "module_3.py").open("a") as file:
        file.write(PLANTED["words and digits"] + "\n")
    assert why() == "module_3.py is left out now (secret, literal given to a secret's name)"
    (repository / "module_3.py").write_text(code(50))
    (repository / "module_4.py").unlink()
    assert why() == "None", "an edit is no reason"
    (repository / ".gitignore").write_text("module_4.py\n")
    assert why() == "module_4.py is left out now (gitignore, module_4.py)"


def test_another_repository_at_the_same_place_is_another(
    repository: Path, stored: StoredRun
) -> None:
    for number in range(1, 6):
        (repository / f"module_{number}.py").unlink()
    assert why_anew(stored, "base", repository) is None, "files that go are no other ones"
    (repository / "other.py").write_text(code(20))
    assert "most of its files are gone" in str(why_anew(stored, "base", repository))
