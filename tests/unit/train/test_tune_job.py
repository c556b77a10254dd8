"""One run from the repository to a published adapter, its plan, its lock, and its command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from diffusion.adapters.base import base_of
from diffusion.adapters.cli import app as adapters_app
from diffusion.adapters.home import home_of
from diffusion.adapters.made import note_made
from diffusion.adapters.manifest import check
from diffusion.adapters.store import AdapterStore
from diffusion.errors import CorpusError, TrainingError
from diffusion.infill import Infiller, InfillRequest
from diffusion.train import tune_job, tune_measure
from diffusion.train.begun import Begun, begun
from diffusion.train.control import PAUSE, RUN, STOP, Control, only_run, want, wanted
from diffusion.train.plan import most_steps
from diffusion.train.replay import general_files
from diffusion.train.run_log import RunLog
from diffusion.train.run_state import run_state, steer
from diffusion.train.tune_cli import app as train_app
from diffusion.train.tune_figures import Compared
from diffusion.train.tune_job import TuneOptions, plan_only, run_job
from diffusion.train.tune_report import write_report
from diffusion.train.tune_stored import end, stored_run
from tests.unit.adapters.test_store import WEIGHTS, manifest
from tests.unit.train.tuning import CONFIG

EAGER = replace(CONFIG, learning_rate=0.03, rank=8, average_decay=0.5, most_epochs=0.6)


FILES = 8
pytestmark = pytest.mark.usefixtures("one_thread")


def options(model: Path, **more: Any) -> TuneOptions:
    given: dict[str, Any] = {"config": EAGER, "cases": 2, "general_cases": 1, **more}
    return TuneOptions(model=model, **given)


@pytest.mark.slow
def test_a_run_publishes_what_is_then_served(repository: Path, tiny_model_dir: Path) -> None:
    events: list[dict[str, Any]] = []
    last = run_job(repository, options(tiny_model_dir, name="first"), report=events.append)
    assert [e["event"] for e in events if e["event"] != "train"][:3] == [
        "scanning", "plan", "validation",
    ]  # fmt: skip
    assert (last["event"], last["adapter"]) == ("done", "first")
    assert last["figures"]["loss_after"] < last["figures"]["loss_before"]
    assert last["figures"]["held_out"]["cases"] == 2
    store = AdapterStore(home_of(repository))
    assert store.selected() == "first"
    manifest = check(store.folder / "first", base_of(tiny_model_dir))
    assert manifest.figures == last["figures"]
    infiller = Infiller.load(tiny_model_dir, 1, adapter=store.folder / "first")
    assert infiller.infill(InfillRequest(b"x = \n", 4, "python", length=2)).steps
    assert run_state(home_of(repository).run)["state"] == "done"
    page = repository.parent / "page.html"
    write_report(home_of(repository).run, page)
    assert "first" in page.read_text() and "<svg" in page.read_text()
    again = run_job(repository, options(tiny_model_dir, name="first"))
    assert again["adapter"] == "first-2", "a run that is over does not go on: a new one begins"


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_its_own_data(repository: Path, tiny_model_dir: Path) -> None:
    run = home_of(repository).run

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "train":
            want(run, STOP)

    clock = iter(float(s) for s in range(10**6)).__next__
    control = Control(run, clock=clock)
    named = options(tiny_model_dir, name="mine")
    last = run_job(repository, named, report=stop, control=control)
    assert last["event"] == "stopped" and run_state(run)["state"] == "stopped"
    for file in repository.glob("*.py"):
        file.unlink()  # what is edited meanwhile changes nothing
    events: list[dict[str, Any]] = []
    last = run_job(repository, options(tiny_model_dir), report=events.append)
    assert events[0]["event"] == "resumed" and last["event"] == "done"
    assert last["adapter"] == "mine"
    with pytest.raises(CorpusError, match="no file to learn from"):
        run_job(repository, options(tiny_model_dir))
    assert run_state(run)["state"] == "failed"


def rows(*exact: bool) -> tuple[dict[str, Any], ...]:
    return tuple({"exact_match": e, "edit_similarity": 0.5, "completion": "x"} for e in exact)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        ((True, False, False), (False, True, False), False),
        ((True, True, False), (False, False, True), True),
        ((False, False), (False, True), False),
        ((), (), False),
    ],
)
def test_what_was_lost_weighs_against_what_was_gained(
    before: tuple[bool, ...], after: tuple[bool, ...], worse: bool
) -> None:
    assert Compared((), rows(*before), rows(*after)).worse is worse


@pytest.mark.slow
def test_what_fills_fewer_held_out_holes_is_not_published(
    repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(base: Any, tuned: Any, cases: Any, **more: Any) -> Compared:
        many = len(cases)
        return Compared(tuple(cases), rows(*[True] * many), rows(*[False] * many))

    monkeypatch.setattr(tune_measure, "compare", lost)
    last = run_job(repository, options(tiny_model_dir, name="first"))
    assert last["figures"]["loss_after"] < last["figures"]["loss_before"]
    assert (last["event"], last["adapter"]) == ("done", None)
    assert last["message"].startswith("of 2 held-out holes 0 were gained and 2 lost")
    store = AdapterStore(home_of(repository))
    assert store.entries() == [] and store.selected() is None
    assert stored_run(home_of(repository).run) is None, "it is over"


@pytest.mark.slow
def test_a_power_cut_after_publishing_publishes_no_second_time(
    repository: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: Any) -> None:
        raise OSError("the power is gone")

    store = AdapterStore(home_of(repository))
    with monkeypatch.context() as patched:
        patched.setattr(tune_job, "end", cut)
        with pytest.raises(TrainingError, match="the power is gone"):
            run_job(repository, options(tiny_model_dir))
    [published] = store.entries()
    store.select(None)  # the power may as well have gone before it was selected
    last = run_job(repository, options(tiny_model_dir))
    assert (last["event"], last["adapter"]) == ("done", published.name)
    assert published.manifest is not None and last["figures"] == published.manifest.figures
    assert [entry.name for entry in store.entries()] == [store.selected()] == [published.name]


@pytest.mark.slow
def test_of_the_adapters_that_nobody_asked_for_few_are_kept(
    repository: Path, tiny_model_dir: Path
) -> None:
    store = AdapterStore(home_of(repository))
    old = manifest("old")
    note_made(store, check(store.publish(replace(old, created="2020-01-01"), WEIGHTS)))
    for name in ("older", "oldest"):
        note_made(store, check(store.publish(replace(old, name=name), WEIGHTS)))
    named = run_job(repository, options(tiny_model_dir, name="mine", by_itself=True))
    assert len(store.entries()) == 4, "who names an adapter wants to have it"
    last = run_job(repository, options(tiny_model_dir, by_itself=True))
    there = {entry.name for entry in store.entries()}
    assert there == {"older", "oldest", named["adapter"], last["adapter"]}


@pytest.mark.slow
def test_a_plan_changes_nothing(repository: Path, tiny_model_dir: Path) -> None:
    (repository / "keys.py").write_text('pass' + 'word = "c0rrect-h0rse!"\n' * 20)
    plan = plan_only(repository, options(tiny_model_dir), probe_s=0.01)
    assert (plan.files, plan.held_out_files) == (7, 1)
    assert plan.excluded == {"secret": 1} and plan.languages == {"python": plan.tokens
                                                                  + plan.held_out_tokens}
    assert plan.expected_minutes is not None and plan.tokens_per_s
    assert any("little to learn from" in note for note in plan.notes)
    assert plan.notes[0].startswith("measuring on 3 holes follows: ")
    assert not home_of(repository).folder.exists() or not list(home_of(repository).folder.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("by_itself", [True, False])
def test_a_run_says_with_which_model_it_was_begun_and_whether_by_itself(
    repository: Path, tiny_model_dir: Path, by_itself: bool
) -> None:
    control = Control(home_of(repository).run)

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "plan":
            control.tell(STOP)

    asked = options(tiny_model_dir, by_itself=by_itself)
    last = run_job(repository, asked, report=stop, control=control)
    assert last["event"] == "stopped"
    base = base_of(tiny_model_dir).weights_sha256
    assert begun(home_of(repository).run) == Begun(base, str(tiny_model_dir.resolve()), by_itself)


def test_the_plan_says_what_git_is_asked_for(repository: Path, tiny_model_dir: Path) -> None:
    """For commits; what is ignored is read from the ignore files."""
    notes = plan_only(repository, options(tiny_model_dir), probe_s=0).notes
    assert "git tells of no commits here, so no file counts as touched lately" in notes


def test_two_windows_do_not_train_twice(repository: Path, tiny_model_dir: Path) -> None:
    run = home_of(repository).run
    with only_run(run):
        with pytest.raises(TrainingError, match="trained on already"):
            run_job(repository, options(tiny_model_dir))
        steer(run, "pause")
        assert wanted(run) == PAUSE
    with pytest.raises(TrainingError, match="none to resume"):
        steer(run, "resume")
    with only_run(run):
        pass  # the lock is free again


def test_a_killed_run_is_told_as_interrupted(repository: Path) -> None:
    run = home_of(repository).run
    assert run_state(run) == {"state": "none"}
    run.mkdir(parents=True)
    (run / "status.json").write_text(json.dumps({"state": "runs", "step": 4}))
    assert run_state(run) == {"state": "interrupted", "step": 4}
    for other in ({"state": "runs"}, {"event": "done", "state": "done", "pid": 1}):
        (run / "status.json").write_text(json.dumps(other))
        with only_run(run):
            assert run_state(run) == {"state": "runs"}, "what it says is of another process"
            log = RunLog(run, lambda event: None, enabled=True)
            for event, state in (("train", "runs"), ("paused", "paused"), ("done", "done")):
                log.write({"event": event})
                assert run_state(run)["state"] == state
    (run / "status.json").unlink()
    with only_run(run):
        assert run_state(run) == {"state": "runs"}


@pytest.mark.parametrize("status", ["null", "[]", '"x"', "{}", '{"state": 3}', "{"])
def test_a_status_that_is_no_object_is_a_damaged_one(repository: Path, status: str) -> None:
    run = home_of(repository).run
    run.mkdir(parents=True)
    (run / "status.json").write_text(status)
    assert run_state(run)["state"] == "interrupted"
    end(run, {"event": "done", "adapter": "mine"})
    assert run_state(run) == {"event": "done", "adapter": "mine", "state": "done"}


def test_a_run_waits_as_long_as_somebody_types(tmp_path: Path) -> None:
    now = [0.0]
    control = Control(tmp_path, clock=lambda: now[0])
    assert control.now() == RUN
    control.tell("yield 1500\n")
    assert control.now() == PAUSE
    now[0] = 1.4
    control.tell("yield 1000\n")
    now[0] = 2.3
    assert control.now() == PAUSE
    now[0] = 2.5
    assert control.now() == RUN
    control.tell("nonsense\n")
    control.tell("yield soon\n")
    assert control.now() == RUN
    control.tell("stop\n")
    assert control.now() == STOP and not control.gate()


def test_waiting_is_known_and_is_no_training(tmp_path: Path) -> None:
    control = Control(tmp_path, clock=iter(float(s) for s in range(100)).__next__)
    assert control.gate() and control.waited_s == 0.0
    control.tell("yield 5000\n")
    assert control.gate() and 1.0 <= control.waited_s <= 7.0


def test_steps_follow_the_size_of_the_repository() -> None:
    config = replace(CONFIG, most_epochs=10)
    small, large = (most_steps(tokens, config) for tokens in (10**4, 10**5))
    assert large == pytest.approx(10 * small, rel=0.01)


def test_the_pack_of_general_code_is_whole() -> None:
    files = general_files()
    languages = {file.language for file in files}
    assert languages == {"python", "javascript", "typescript", "go", "rust", "java", "c", "cpp"}
    for language in languages:
        sides = [file.held_out for file in files if file.language == language]
        assert any(sides) and not all(sides)
    with pytest.raises(CorpusError, match="reinstall"):
        general_files(Path(__file__))


def test_the_command_line_looks_after_runs_and_adapters(repository: Path) -> None:
    answer = CliRunner().invoke(train_app, ["status", str(repository), "--json"])
    assert json.loads(answer.stdout) == {"state": "none"}
    for words, said in (
        (["stop", str(repository)], "none to stop"),
        ([str(repository), "b"], "more than one repository"),
        ([str(repository / "none"), "--dry-run"], "is no folder"),
        ([str(repository), "--minutes", "0"], "--minutes is 0"),
        ([str(repository), "--method", "magic"], "no method of tuning"),
        ([str(repository), "--name", "my tuning"], "cannot be called 'my tuning'"),
        (["report", str(repository)], "no run"),
    ):
        answer = CliRunner().invoke(train_app, [*words, "--nice", "0"])
        assert answer.exit_code == 2 and said in answer.stderr, (words, answer.output)
    answer = CliRunner().invoke(adapters_app, ["list", "--repo", str(repository), "--json"])
    assert json.loads(answer.stdout) == {"adapters": []}
    for words, said in (
        (["list", "--repo", str(repository / "none")], "none is no folder"),
        (["use", "--base", "--repo", str(repository / "none")], "none is no folder"),
        (["use"], "give a name, or --base"),
        (["use", "none"], "no adapter called none"),
        (["rollback"], "served nothing else"),
        (["delete", "none"], "no adapter called none"),
        (["export", "none"], "no adapter called none"),
        (["import", str(repository / "module_1.py")], "cannot be read as an exported adapter"),
    ):
        answer = CliRunner().invoke(adapters_app, [words[0], "--repo", str(repository), *words[1:]])
        assert answer.exit_code == 2 and said in answer.stderr, (words, answer.output)
