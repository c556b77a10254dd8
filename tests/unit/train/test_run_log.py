"""The log of a run that was killed while it wrote a line: one line is lost, and no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from diffusion.errors import TrainingError
from diffusion.train.export import last_validation
from diffusion.train.plots import read_log
from diffusion.train.run_lines import event_line, status_text
from diffusion.train.run_log import LOG, RunLog, Window
from diffusion.train.tune_report import PLAN_FILE, write_report

TORN = '{"event": "train", "st'
VALIDATION = {"event": "validation", "step": 3, "loss": 2.5}
PLAN = {"files": 1, "tokens": 2, "held_out_files": 3, "held_out_tokens": 4, "excluded": {}}


def begin(run: Path, text: str) -> RunLog:
    (run / LOG).write_text(text)
    return RunLog(run, lambda event: None, enabled=True)


def test_the_line_after_a_torn_one_is_its_own(tmp_path: Path) -> None:
    log = begin(tmp_path, TORN)
    log.write(VALIDATION)
    log.write({"event": "done", "step": 4})
    first, *others = (tmp_path / LOG).read_text().splitlines()
    assert first == TORN
    assert [json.loads(line) for line in others] == [VALIDATION, {"event": "done", "step": 4}]


def test_a_whole_log_is_gone_on_with_as_it_is(tmp_path: Path) -> None:
    log = begin(tmp_path, "")
    log.write(VALIDATION)
    log.write(VALIDATION)
    assert (tmp_path / LOG).read_text() == 2 * (json.dumps(VALIDATION) + "\n")


def test_what_reads_a_log_passes_a_torn_line_over(tmp_path: Path) -> None:
    lines = [json.dumps(VALIDATION), TORN, "3", json.dumps({"event": "done", "step": 4}), TORN]
    (tmp_path / LOG).write_text("\n".join(lines))
    assert [event["event"] for event in read_log(tmp_path / LOG)] == ["validation", "done"]
    assert last_validation(tmp_path) == {"step": 3, "loss": 2.5}
    (tmp_path / PLAN_FILE).write_text(json.dumps(PLAN))
    write_report(tmp_path, tmp_path / "page.html")
    assert "<svg" in (tmp_path / "page.html").read_text()


def test_where_there_is_no_run_no_folder_of_the_programs_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        write_report(tmp_path / "run", tmp_path / "page.html")
    assert str(caught.value) == "there is no run to report on; start one with `diffill train`"
    begin(tmp_path, "")
    (tmp_path / LOG).write_text("")
    (tmp_path / PLAN_FILE).write_text("{")
    with pytest.raises(TrainingError, match=r"cannot be read \(it is damaged\); start another one"):
        write_report(tmp_path, tmp_path / "page.html")


FIGURES = {
    "held_out": {"cases": 9, "exact_match_before": 0.2, "exact_match_after": 0.1},
    "general": {"cases": 0}, "minutes": 1.0, "steps": 5,
}  # fmt: skip
LOST = {"event": "done", "adapter": None, "figures": FIGURES, "message": "3 <b> lost"}
FAILED = {"event": "failed", "message": "the loss is nan"}
WENT_ON = {"event": "resumed", "root": "/"}


@pytest.mark.parametrize(
    ("events", "said", "unsaid"),
    [
        ([LOST], ["3 &lt;b&gt; lost", "20.0 %", "10.0 %"], "not over"),
        ([FAILED], ["failed: the loss is nan"], "not over"),
        ([FAILED, WENT_ON, VALIDATION], ["The run is not over."], "nan"),
        ([FAILED, WENT_ON, LOST], ["3 &lt;b&gt; lost"], "nan"),
        ([LOST, {"event": "scanning"}, {"event": "stopped", "message": "again"}],
         ["lost", "20.0 %"], "again"),
        ([VALIDATION, {"event": "stopped", "message": "again"}], ["stopped: again"], "not over"),
    ],
)  # fmt: skip
def test_a_report_says_how_the_run_ended(
    tmp_path: Path, events: list[dict[str, Any]], said: list[str], unsaid: str
) -> None:
    log = begin(tmp_path, "")
    for event in events:
        log.write(event)
    (tmp_path / PLAN_FILE).write_text(json.dumps(PLAN))
    write_report(tmp_path, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert all(words in page for words in said) and unsaid not in page


@pytest.mark.parametrize(
    ("waiting_s", "said"),
    [(0.0, []), (0.4, []), (6.0, ["waits for batches 60 % (more --workers)"])],
)
def test_a_run_that_waits_for_its_batches_says_so(
    tmp_path: Path, waiting_s: float, said: list[str]
) -> None:
    window = Window()
    window.add(loss=2.5, tokens=4000, seconds=4.0)
    window.waiting_s = waiting_s
    event = {
        "event": "train", "step": 20, "tokens": 4000, "progress": 0.5, "minutes": 1.0,
        **window.figures,
    }  # fmt: skip
    assert window.figures["loss"] == 2.5 and window.figures["tokens_per_s"] == 1000
    assert [words for words in event_line(event).split("  ") if "waits" in words] == said
    begin(tmp_path, "").write(event)
    assert [words for words in status_text(tmp_path).split(", ") if "waits" in words] == said
