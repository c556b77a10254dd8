"""The HTML page: complete, self-contained, and safe against what cases and models write."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from diffusion.errors import EvaluationError
from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import Fill, evaluate_case
from diffusion.evaluate.report import Run, gains, page, summary, write_report
from diffusion.evaluate.work import BASELINES
from tests.unit.evaluate.scripted import ADD

EVIL = "<script>alert(1)</script>"
CASES = [
    replace(ADD, task_id=f"t{i}", hole="line" if i % 2 else "ast", prefix=f"# {EVIL}\nx = ")
    for i in range(12)
]
VOID = {"meta"}


class Fills:
    def __init__(self, name: str, texts: dict[str, str]) -> None:
        self.name = name
        self._texts = texts

    def prepare(self, case: Case, length: object):
        text = self._texts.get(case.task_id, "a + b")
        return lambda: Fill(
            text, 2, 3, confidence=0.25 if text else None, token_p=((text[:2], 0.5), (text[2:], 1))
        )


class Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def runs() -> list[Run]:
    texts = {"t1": EVIL, "t2": "", "t3": "go go go go go", "t4": "(", "t5": "a + c"}
    found = []
    for filler in (Fills("diffill", texts), Fills("copy", {"t0": "b"})):
        for length in ("predicted", "oracle"):
            rows = [evaluate_case(filler, case, length) for case in CASES]
            found.append(Run(filler.name, "cases", length, rows))
    return found


def test_the_page_nests_loads_nothing_and_runs_nothing() -> None:
    text = page(runs(), {"cases": CASES}, "0123456789ab")
    parser = Nesting()
    parser.feed(text)
    assert parser.open == [] and "svg" in parser.seen
    assert "script" not in parser.seen and "link" not in parser.seen and "img" not in parser.seen
    assert "http" not in text and EVIL not in text
    for said in ("0123456789ab", "Exactly right", "Loops", "Empty", "ECE", "wanted", "oracle"):
        assert said in text


def test_a_summary_has_intervals_and_calibration() -> None:
    found = summary(runs()[0])
    low, high = found["exact_match_interval"]
    assert low < found["exact_match"] < high
    assert 0 <= found["calibration_error"] <= 1
    assert found["exact_in_3"] == found["exact_match"] == pytest.approx(7 / 12, abs=1e-3)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_paired_with_the_model_and_in_no_calibration(name: str) -> None:
    model = runs()[0]
    rows = [evaluate_case(Fills(name, {}), case, "predicted") for case in CASES]
    assert rows[0]["confidence"] is not None
    baseline = Run(name, "cases", "predicted", rows)
    assert "calibration_error" not in summary(baseline)
    assert [(other, run) for other, run, _ in gains([model, baseline])] == [(baseline, model)]


def test_intervals_are_drawn_over_the_groups_of_the_cases() -> None:
    alone = summary(runs()[0])
    rows = [dict(row, group=f"f{n // 6}") for n, row in enumerate(runs()[0].rows)]
    found = summary(Run("diffill", "cases", "predicted", rows))
    assert (alone["groups"], found["groups"]) == (12, 2)
    assert found["exact_match_interval"] == [0.1667, 1.0] != alone["exact_match_interval"]


def test_gains_pair_the_model_with_baselines_and_with_the_oracle_only() -> None:
    named = {(other.name, run.name) for other, run, _ in gains(runs())}
    assert named == {
        ("copy, predicted", "diffill, predicted"),
        ("copy, oracle", "diffill, oracle"),
        ("diffill, oracle", "diffill, predicted"),
    }


def test_a_place_that_cannot_be_written_is_an_error_with_a_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(EvaluationError, match="--report"):
        write_report(tmp_path / "file" / "r.html", runs()[:1], {"cases": CASES}, None)
