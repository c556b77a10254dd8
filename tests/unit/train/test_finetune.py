"""The tuning loop: it learns, goes on bit for bit, and loses nothing when something goes wrong."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.adapters.manifest import FULL, LORA
from diffusion.cancel import Cancelled
from diffusion.data.batches import build_row
from diffusion.data.shards import ShardSet
from diffusion.data.split import unit_hash
from diffusion.errors import CorpusError, TrainingError
from diffusion.model.checkpoint import load_checkpoint
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import finetune as loop
from diffusion.train import tune_checkpoint
from diffusion.train.control import Control, want
from diffusion.train.tune_checkpoint import AVERAGE, OPTIMISER, TRAINED, newest
from diffusion.train.tune_data import DATA, GENERAL, MixedSource, write_data
from diffusion.train.tune_figures import held_out_cases
from diffusion.train.validation import ValidationLoss, Validator
from tests.support.disk import smallest_files
from tests.support.repositories import PLANTED, code, write_repository
from tests.unit.train.tuning import CONFIG, STEPS, tune, write_run

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and on a busy machine threads wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("tuning"), TOKENIZER)


@pytest.fixture
def run(shards: Path, tmp_path: Path) -> Path:
    shutil.copytree(shards, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture(scope="module")
def unbroken(
    shards: Path, tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, torch.Tensor]]:
    run = tmp_path_factory.mktemp("unbroken") / "run"
    shutil.copytree(shards, run)
    tune(run, tiny_model_dir)
    return tensors(run)


def tensors(run: Path) -> dict[str, dict[str, torch.Tensor]]:
    found = newest(run)
    assert found is not None and found.state.step == STEPS
    return {name: found.tensors[name] for name in (TRAINED, AVERAGE, OPTIMISER)}


def assert_same(
    one: dict[str, dict[str, torch.Tensor]], other: dict[str, dict[str, torch.Tensor]]
) -> None:
    for part, values in one.items():
        assert values.keys() == other[part].keys() and values
        assert all(torch.equal(value, other[part][name]) for name, value in values.items()), part


class StopAfter(Control):
    """Says stop when it was asked `times` times: between two rows, or measured batches.

    Six are measured before the first step, which asks three times; after the third, there are
    three or six again.
    """

    def __init__(self, run: Path, times: int) -> None:
        super().__init__(run)
        self.left = times

    def now(self) -> str:
        self.left -= 1
        return "stop" if self.left < 0 else "run"


@pytest.mark.parametrize(
    ("times", "step"),
    [
        pytest.param(10, 1, marks=pytest.mark.slow), (11, 1),
        pytest.param(15, 3, marks=pytest.mark.slow), (16, 3),
        pytest.param(19, 3, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    run: Path, tiny_model_dir: Path, unbroken: Any, times: int, step: int
) -> None:
    stopped = tune(run, tiny_model_dir, control=StopAfter(run, times))
    assert stopped.stopped and stopped.state.step == step
    told: list[dict[str, Any]] = []
    tune(run, tiny_model_dir, report=told.append)
    assert_same(tensors(run), unbroken)
    measured = [event["step"] for event in told if event["event"] == "validation"]
    assert measured == [3, 6, 7], "a measurement that was broken off is made anew"


def test_a_run_stops_while_it_measures_the_base_model(run: Path, tiny_model_dir: Path) -> None:
    told: list[dict[str, Any]] = []
    control = StopAfter(run, 4)
    stopped = tune(run, tiny_model_dir, control=control, report=told.append)
    assert stopped.stopped and told == [] and control.left == -1
    assert newest(run) is None


@pytest.mark.parametrize("damage", [b"", b"\0" * 10])
def test_damaged_text_of_a_run_says_how_to_start_over(
    run: Path, tiny_model_dir: Path, damage: bytes
) -> None:
    (run / DATA / "train-python-000.bin").write_bytes(damage)
    with pytest.raises(TrainingError, match=r"is damaged \(.*train --fresh") as raised:
        tune(run, tiny_model_dir, 2)
    assert "corpus build" not in str(raised.value)


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_bit_for_bit(
    run: Path, tiny_model_dir: Path, unbroken: Any
) -> None:
    command = [sys.executable, "-m", "tests.unit.train.tuning", str(run), str(tiny_model_dir), "99"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["step"] >= 4:
                process.kill()  # SIGKILL, at any place of the next step or of a checkpoint
                break
    left = newest(run)
    assert left is not None and 0 < left.state.step < STEPS
    tune(run, tiny_model_dir)
    assert_same(tensors(run), unbroken)


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over(
    run: Path, tiny_model_dir: Path, unbroken: Any
) -> None:
    tune(run, tiny_model_dir, 5)
    file = run / "step-5" / "trained.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    found = newest(run)
    assert found is not None and found.state.step == 4
    shutil.rmtree(run / "step-5")
    tune(run, tiny_model_dir)
    assert_same(tensors(run), unbroken)
    for path in run.glob("step-*"):
        (path / "state.json").write_text("{")
    with pytest.raises(TrainingError, match=r"is damaged.*--fresh"):
        newest(run)


@pytest.mark.slow
@pytest.mark.parametrize("method", [LORA, FULL])
def test_a_run_learns_and_keeps_the_best(run: Path, tiny_model_dir: Path, method: str) -> None:
    events: list[dict[str, Any]] = []
    rate = 0.03 if method == LORA else 0.01
    config = replace(CONFIG, method=method, learning_rate=rate, rank=8, average_decay=0.5)
    tuned = tune(run, tiny_model_dir, 24, config=config, report=events.append)
    assert tuned.state.base_loss is not None and tuned.state.best_loss is not None
    assert tuned.state.best_loss < tuned.state.base_loss - 0.1
    assert tuned.trained is not None and tuned.why == "enough_epochs"
    measured = [event for event in events if event["event"] == "validation"]
    best = [event for event in measured if event["best"]]
    assert best[-1]["loss"] == tuned.state.best_loss and best[-1]["step"] == tuned.state.best_step
    assert min(event["loss"] for event in measured) > 0.997 * tuned.state.best_loss
    assert [event["step"] for event in measured] == list(range(0, 25, 3))


@pytest.mark.slow
def test_before_the_first_step_nothing_has_changed(run: Path, tiny_model_dir: Path) -> None:
    still = replace(CONFIG, learning_rate=0.0)
    tuned = tune(run, tiny_model_dir, 3, config=still)
    assert tuned.trained is None, "a model that gained nothing is not published"
    found = newest(run)
    assert found is not None
    assert all(not t.any() for n, t in found.tensors[TRAINED].items() if "lora_B" in n)


@pytest.mark.slow
def test_measurements_without_a_gain_end_a_run(run: Path, tiny_model_dir: Path) -> None:
    config = replace(CONFIG, learning_rate=0.0, patience=2)
    tuned = tune(run, tiny_model_dir, 99, config=config)
    assert (tuned.why, tuned.state.step) == ("no_more_gain", 6)
    assert tuned.state.rate_scale == 0.25


@pytest.mark.slow
def test_without_a_gain_the_best_weights_come_back_at_half_the_rate(
    run: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter((5.0, 6.0, 5.5, 5.6))  # own and general text before; then two without a gain
    monkeypatch.setattr(loop._Loop, "_loss_on", lambda *_: next(losses))
    tuned = tune(run, tiny_model_dir, 4, config=replace(CONFIG, validate_every_steps=2))
    assert tuned.state.rate_scale == 0.25 and tuned.trained is None
    found = newest(run)
    assert found is not None
    for part in (TRAINED, AVERAGE):
        changed = [t for n, t in found.tensors[part].items() if "lora_B" in n]
        assert changed and not any(bool(t.any()) for t in changed)


@pytest.mark.slow
def test_time_ends_a_run(run: Path, tiny_model_dir: Path) -> None:
    seconds = iter(range(10_000))
    tuned = tune(run, tiny_model_dir, 99, minutes=3 / 60, clock=lambda: float(next(seconds)))
    assert (tuned.why, tuned.state.step) == ("time", 3)


@pytest.mark.slow
def test_a_loss_that_is_no_number_spares_the_checkpoints(run: Path, tiny_model_dir: Path) -> None:
    tune(run, tiny_model_dir, 3)
    wild = replace(CONFIG, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"nothing was published.*--learning-rate"):
        tune(run, tiny_model_dir, 40, config=wild)
    found = newest(run)
    assert found is not None
    assert all(bool(torch.isfinite(t).all()) for t in found.tensors[TRAINED].values())


@pytest.mark.slow
def test_a_full_disk_costs_a_warning_until_the_end(run: Path, tiny_model_dir: Path) -> None:
    tune(run, tiny_model_dir, 2)
    events: list[dict[str, Any]] = []
    with smallest_files(2_000), pytest.raises(TrainingError, match="free some disk space"):
        tune(run, tiny_model_dir, 5, report=events.append)
    assert any(event["event"] == "warning" for event in events)
    found = newest(run)
    assert found is not None and found.state.step == 2
    assert list(run.glob(".part-*")) == []


def test_every_measurement_tells_of_both_sides(run: Path, tiny_model_dir: Path) -> None:
    told: list[dict[str, Any]] = []
    tune(run, tiny_model_dir, 1, report=told.append)
    first, last = (event for event in told if event["event"] == "validation")
    assert first.keys() == last.keys() >= {"general_loss", "general_base_loss"}
    assert first["general_base_loss"] == last["general_base_loss"] > 0


def test_a_small_script_does_not_decide_for_a_repository(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusion.data.repository import scan_repository

    root = write_repository(tmp_path / "repository", 40)
    script = next(f"tool{n}.js" for n in range(99) if unit_hash(f"tool{n}.js") < 0.1)
    (root / script).write_text("".join(f"console.log('part {n} of it');\n" for n in range(9)))
    write_data(tmp_path / "run", scan_repository(root), TOKENIZER)
    share: dict[str, float] = {}

    def look(validator: Validator, *_: Any, **__: Any) -> ValidationLoss:
        languages = [validator.languages[g] for _, b in validator._batches for g in b.group_M]
        for language in {*languages}:
            share.setdefault(language, languages.count(language) / len(languages))
        raise Cancelled

    monkeypatch.setattr(Validator, "measure", look)
    tune(tmp_path / "run", tiny_model_dir, 1, config=replace(CONFIG, validation_rows=24))
    assert share["python"] > 0.8, share
    cases = held_out_cases(tmp_path / "run", DATA, TOKENIZER, 20)
    assert len(cases) == 20 and sum(case.language == "python" for case in cases) > 16


def test_a_pause_waits_and_is_told(run: Path, tiny_model_dir: Path) -> None:
    events: list[dict[str, Any]] = []

    def report(event: dict[str, Any]) -> None:
        events.append(event)
        if event["event"] == "train" and event["step"] == 2:
            want(run, "pause")
        if event["event"] == "paused":
            want(run, "run")

    control = Control(run, clock=iter(float(s) for s in range(10**6)).__next__)
    tune(run, tiny_model_dir, 4, report=report, control=control)
    assert [e["event"] for e in events if e["event"] in ("paused", "resumed")] == [
        "paused", "resumed",
    ]  # fmt: skip


def test_no_planted_secret_reaches_the_text_of_a_run(tmp_path: Path) -> None:
    repository = write_repository(tmp_path / "repository", 6)
    for number, line in enumerate(PLANTED.values()):
        (repository / f"leak_{number}.py").write_text(f"{code(100 + number)}{line}\n")
    from diffusion.data.repository import scan_repository

    found = scan_repository(repository)
    assert found.reasons() == {"secret": len(PLANTED)}
    write_data(tmp_path / "run", found, TOKENIZER)
    whole = b"".join(
        TOKENIZER.decode(shards.document(language, number).tolist())
        for name in (DATA, GENERAL)
        for split in ("train", "validation")
        for shards in [ShardSet.open(tmp_path / "run" / name, split)]
        for language in shards.languages
        for number in range(len(shards[language]))
    )
    source = MixedSource(tmp_path / "run", TOKENIZER, CONFIG.replay)
    batches = b"".join(
        TOKENIZER.decode(example.ids)
        for row in range(40)
        for example in build_row(source, TOKENIZER, random.Random(row), CONFIG.batch)
    )
    assert b"def " in whole and b"def " in batches
    for line in PLANTED.values():
        assert line.split()[-1].strip("\"'}").encode() not in batches
        assert line.split()[-1].strip("\"'}").encode() not in whole


def test_held_out_files_are_in_no_train_shard(tmp_path: Path) -> None:
    from diffusion.data.repository import scan_repository

    found = scan_repository(write_repository(tmp_path / "repository", 12))
    write_data(tmp_path / "run", found, TOKENIZER)
    train = ShardSet.open(tmp_path / "run" / DATA, "train")
    texts = [
        TOKENIZER.decode(train.document("python", n).tolist()) for n in range(len(train["python"]))
    ]
    held = [file.data for file in found.files if file.held_out]
    assert held and not {*held} & {*texts}
    assert {file.data for file in found.files if not file.held_out} == {*texts}


def test_a_repository_of_one_file_is_refused_before_it_is_trained_on(tmp_path: Path) -> None:
    from diffusion.data.repository import scan_repository

    found = scan_repository(write_repository(tmp_path / "repository", 1))
    assert len(found.files) == 1
    with pytest.raises(CorpusError, match=r"too little code.*at least two source files"):
        write_data(tmp_path / "run", found, TOKENIZER)
    assert not (tmp_path / "run" / DATA).exists()


def test_the_checkpoints_of_another_method_are_refused(run: Path, tiny_model_dir: Path) -> None:
    tune(run, tiny_model_dir, 2)
    with pytest.raises(TrainingError, match="another model or method"):
        tune(run, tiny_model_dir, 3, config=replace(CONFIG, method=FULL))
    tune_checkpoint.clear(run)
    assert newest(run) is None
    assert load_checkpoint(tiny_model_dir).manifest is not None
