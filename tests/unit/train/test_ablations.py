"""Ablations: each row changes what it says, is measured like the others, and is run once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from diffusion.data.examples import ExampleConfig
from diffusion.data.gap import GapConfig
from diffusion.errors import ConfigError, TrainingError
from diffusion.model.architecture import ModelRecipe
from diffusion.model.partition import SEGMENTS_PER_DOCUMENT
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.canvas import GAP
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.ablation_run import RESULTS, Runner, Setting, read_results
from diffusion.train.ablation_table import mean_spread, tables
from diffusion.train.ablations import ABLATIONS, BASE, chosen
from diffusion.train.config import PretrainConfig
from diffusion.train.stages import PLANS
from tests.unit.train.corpora import EXAMPLES

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
TINY = ModelRecipe("tiny", width=32, layers=2, inner=32)
SETTING = Setting(
    recipe="tiny", tokens=500, rows=2, row_tokens=128, validation_rows=8, cases=2,
    length_samples=50, workers=0, mixed_precision="no",
)  # fmt: skip
pytestmark = pytest.mark.usefixtures("tiny_recipe")


def test_every_row_but_the_base_changes_the_run() -> None:
    base = SETTING.config(0)
    fingerprints = [json.dumps(row.change(base).fingerprint()) for row in ABLATIONS]
    assert len(set(fingerprints)) == len(ABLATIONS)
    assert ABLATIONS[0].name == BASE and ABLATIONS[0].change(base) == base
    assert len({row.name for row in ABLATIONS}) == len(ABLATIONS)


@pytest.mark.parametrize("name", PLANS)
def test_the_shares_of_a_mix_still_sum_to_one(name: str) -> None:
    base = PretrainConfig(stages=PLANS[name])
    for row_name, cut in (("cuts-0", 0.0), ("cuts-30", 0.3)):
        [row] = [row for row in ABLATIONS if row.name == row_name]
        for before, stage in zip(base.stages, row.change(base).stages, strict=True):
            mix, old = stage.example.mix, before.example.mix
            assert mix.cut == cut
            shares = (mix.node, mix.rest_of_line, mix.lines, mix.one_line, mix.cut)
            assert sum(shares) == pytest.approx(1.0)
            assert mix.one_line / mix.node == pytest.approx(old.one_line / old.node)


@pytest.mark.parametrize("name", PLANS)
def test_all_rows_are_measured_on_the_holes_of_the_infilling(name: str) -> None:
    setting = replace(SETTING, stages=name)
    measured, stages = setting.measured_on(), setting.config(0).stages
    of_name = {stage.name: stage.example for stage in stages}
    infilling = of_name.get("infill", stages[-1].example)
    assert measured.example == replace(infilling, complementary=False)
    assert (measured.rows, measured.row_tokens) == (SETTING.rows, SETTING.row_tokens)


def test_without_the_causal_stage_the_others_fill_the_run() -> None:
    [row] = [row for row in ABLATIONS if row.name == "no-warm-start"]
    base = PretrainConfig()
    config = row.change(base)
    assert [s.name for s in config.stages] == [s.name for s in base.stages if not s.causal]
    assert config.stages[-1].until == pytest.approx(1.0)
    with pytest.raises(ConfigError, match="every stage of the base run is causal"):
        row.change(replace(base, stages=base.stages[:1]))


def test_names_are_checked_and_the_base_is_always_there() -> None:
    assert [row.name for row in chosen(["adamw"])] == [BASE, "adamw"]
    assert chosen([]) == ABLATIONS
    with pytest.raises(ConfigError, match="'adamv'; choose among base, full-attention"):
        chosen(["adamv"])


@pytest.mark.parametrize("gap", [64, 256])
@pytest.mark.parametrize("complementary", [False, True])
def test_another_gap_moves_what_follows_and_nothing_else(gap: int, complementary: bool) -> None:
    data = next(p for p in sorted(EXAMPLES.iterdir()) if p.suffix == ".py").read_bytes()
    tree = SyntaxTree.parse(data, "python")
    plain = ExampleConfig(plain_mlm=0.0, complementary=complementary)
    plain = replace(plain, mix=replace(plain.mix, max_holes=SEGMENTS_PER_DOCUMENT // 2 - 1))
    one, other = (
        config.build(TOKENIZER, tree, data, (0, len(data)), "python", random.Random(3))
        for config in (plain, GapConfig.of(plain, gap))
    )
    assert len(one.canvases) > 1
    assert one.ids == other.ids and one.segments == other.segments
    # Before every canvas there are as many gaps as canvases before it (their copies left out).
    for k, part in enumerate(one.canvases):
        moved = (k if part.twin is None else part.twin) * (gap - GAP)
        assert other.positions[part.start] == one.positions[part.start] + moved
    holes = sum(part.twin is None for part in one.canvases)
    last = max(i for i, segment in enumerate(one.segments) if segment == 0)
    assert other.positions[last] == one.positions[last] + holes * (gap - GAP)
    assert other.positions[0] == 0


@pytest.mark.slow
def test_rows_are_trained_once_and_measured_alike(corpus: Path, tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    rows = chosen(["full-attention", "gap-256"])
    runner = Runner(corpus, tmp_path, TOKENIZER, SETTING, report=events.append)
    results = runner.run(rows, [0])
    assert [r["name"] for r in results] == [BASE, "full-attention", "gap-256"]
    assert read_results(tmp_path) == results
    for result in results:
        assert set(result["loss_by_t"]) == {"1.0", "0.5", "0.15"}
        assert 0 < result["next_slot_loss"] < 20
        assert 0 <= result["exact_match_oracle"] <= 1 and result["cases"] == 2
    assert not list(tmp_path.glob("*seed0*"))
    before = len(events)
    again = Runner(corpus, tmp_path, TOKENIZER, SETTING, report=events.append).run(rows, [0])
    assert again == results and len(events) == before
    assert len({r["setting"] for r in results}) == 1
    older = [{k: v for k, v in r.items() if k != "setting"} for r in results]
    (tmp_path / RESULTS).write_text("".join(json.dumps(r) + "\n" for r in older), "utf-8")
    assert Runner(corpus, tmp_path, TOKENIZER, SETTING).run(rows[:2], [0]) == results[:2]
    assert read_results(tmp_path) == [*results[:2], older[2]]
    other = replace(SETTING, tokens=700)
    changed = Runner(corpus, tmp_path, TOKENIZER, other).result(rows[0], 0)
    assert changed is not None and changed["setting"] != results[0]["setting"]


def test_a_cancelled_row_leaves_its_checkpoint_and_no_result(corpus: Path, tmp_path: Path) -> None:
    cancel = CancelToken()
    cancel.cancel()
    runner = Runner(corpus, tmp_path, TOKENIZER, SETTING, cancel=cancel)
    assert runner.run(chosen(["adamw"]), [0]) == []
    assert read_results(tmp_path) == []
    assert list(tmp_path.glob("base-seed0-*/step-*"))


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / RESULTS).write_text('{"name": "base"}\n{"na', encoding="utf-8")
    with pytest.raises(TrainingError, match="line 2 is no result"):
        read_results(tmp_path)


def result(name: str, seed: int, loss: float, exact: float) -> dict[str, Any]:
    return {
        "name": name, "question": "why", "seed": seed, "recipe": "nano", "tokens": 2_000_000,
        "row_tokens": 512, "stages": "three", "start": "nothing",
        "cases": 10, "loss": loss, "exact_match_oracle": exact,
        "loss_by_t": {"1.0": loss, "0.5": loss, "0.15": loss}, "exact_match_predicted": exact,
        "next_slot_loss": loss,
    }  # fmt: skip


def test_runs_of_unlike_settings_are_not_compared() -> None:
    unlike = [
        result(BASE, 0, 5.0, 0.1) | {"setting": "a" * 16, "rows": 16, "precision": "no"},
        result("adamw", 0, 5.5, 0.2) | {"setting": "b" * 16, "rows": 32, "precision": "bf16"},
    ]
    text = tables(unlike)
    assert text.count("| row |") == 2
    assert "16 rows of 512 in no, setting aaaa" in text and "in bf16, setting bbbb" in text
    assert text.splitlines()[-1].split(" | ")[7] == ""
    alike = [dict(one, setting="a" * 16) for one in unlike]
    assert tables(alike).splitlines()[-1].split(" | ")[7] == "+0.500"


def test_older_results_with_holes_and_without_are_not_mixed() -> None:
    lossy = {"exact_match_oracle", "exact_match_predicted"}
    without = {k: v for k, v in result(BASE, 0, 5.0, 0.1).items() if k not in lossy}
    filled = [result("adamw", 0, 5.5, 0.2), result("adamw", 1, 5.5, 0.2)]
    assert tables([without | {"cases": 0}, *filled]).count("| row |") == 2
    # Should a row tell less than its setting lets expect, what it lacks is left out.
    [line] = [one for one in tables([without, *filled]).splitlines() if one.startswith("| adamw")]
    assert line.split(" | ")[10:12] == ["20.0 ± 0.0 %", ""] and line.split(" | ")[7] == "+0.500"


def test_the_table_has_means_spreads_and_paired_differences() -> None:
    results = [
        result(BASE, 0, 5.0, 0.10), result(BASE, 1, 6.0, 0.20),
        result("adamw", 0, 5.5, 0.05), result("adamw", 1, 6.5, 0.15), result("new", 0, 4.0, 0.3),
    ]  # fmt: skip
    lines = tables(results).splitlines()
    assert lines[0].startswith("nano, 2 million tokens a run")
    cells = {line.split(" | ")[0]: line.split(" | ") for line in lines[4:]}
    assert cells["| base"][2:4] == ["2", "5.500 ± 0.707"]
    assert cells["| adamw"][7] == "+0.500 ± 0.000"
    assert cells["| adamw"][8:10] == ["6.000 ± 0.707", "+0.500 ± 0.000"]
    assert cells["| adamw"][10:12] == ["10.0 ± 7.1 %", "-5.0 ± 0.0"]
    assert cells["| new"][2:4] == ["1", "4.000"] and cells["| new"][7] == "-1.000"
    assert mean_spread([1.0]) == (1.0, None)


@pytest.mark.slow
def test_without_a_corpus_the_script_shows_what_is_there(tmp_path: Path) -> None:
    line = json.dumps(result(BASE, 0, 5.0, 0.1))
    (tmp_path / RESULTS).write_text(line + "\n", encoding="utf-8")
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run(
        [sys.executable, "benchmarks/ablations.py", "--out", str(tmp_path)],
        cwd=root, env={"PYTHONPATH": str(root), "PATH": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["finished"] and report["results"] == [json.loads(line)]
    assert "| base | why | 1 | 5.000 |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def test_rows_may_begin_with_weights(corpus: Path, tmp_path: Path) -> None:
    [base] = chosen([BASE])[:1]
    first = Runner(corpus, tmp_path / "first", TOKENIZER, SETTING, keep=True).result(base, 0)
    assert first is not None and first["start"] == "nothing"
    [run] = (tmp_path / "first").glob("base-seed0-*")
    [step, *_] = sorted(run.glob("step-*"), reverse=True)
    from_there = replace(SETTING, stages="infill", start_from=step)
    result = Runner(corpus, tmp_path / "then", TOKENIZER, from_there).result(base, 0)
    assert result is not None and len(result["start"]) == 12
    assert result["loss"] != first["loss"]
    assert result["digest"] != first["digest"]
    assert f"from {result['start']}, stages infill" in tables([result])


def test_first_weights_that_are_not_there_are_named(corpus: Path, tmp_path: Path) -> None:
    lost = replace(SETTING, start_from=tmp_path / "step-9")
    with pytest.raises(TrainingError, match="step-9 holds no weights"):
        Runner(corpus, tmp_path, TOKENIZER, lost)
