"""Ctrl-C and SIGTERM: training is saved, a validation is left out, an export ends at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.cancel import Cancelled, CancelToken
from diffusion.model.architecture import build_model
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train import checkpoints
from diffusion.train.config import Budget
from diffusion.train.daemon import environment
from diffusion.train.pretrain import pretrain
from diffusion.train.pretrain_cli import cancelled_by_signals
from diffusion.train.sampled_match import SampledMatch
from diffusion.train.twin import TwinMatch
from tests.unit.train.tiny import CONFIG, TINY

ROOT = Path(__file__).resolve().parents[3]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
pytestmark = pytest.mark.usefixtures("tiny_recipe")


def test_a_signal_stops_a_run_and_what_comes_after_it_at_once() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    cancel = CancelToken()
    with cancelled_by_signals(cancel):
        signal.raise_signal(signal.SIGTERM)
        assert cancel.is_cancelled
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_a_launched_run_saves_whatever_its_launcher_repeats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with cancelled_by_signals(CancelToken()):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)


def test_a_cancelled_validation_has_no_figures(corpus: Path, tmp_path: Path) -> None:
    for at in ("batch", "hole"):
        events: list[dict[str, Any]] = []
        cancel = CancelToken()
        if at == "batch":
            often = replace(CONFIG, validate_every_minutes=0.0)
            cancel.cancel()
            match = None
        else:
            often, match = CONFIG, SampledMatch(corpus, TOKENIZER, 1, on_case=interrupted)
        out = tmp_path / at
        pretrain(
            corpus, out, TOKENIZER, often, Budget(tokens=300), report=events.append,
            sampled_match=match, cancel=cancel,
        )  # fmt: skip
        kinds = [e["event"] for e in events]
        assert "validation" not in kinds and checkpoints.newest(out) is not None
        assert "stopped before its end" in events[kinds.index("warning")]["message"]
        assert kinds[-1] == ("stopped" if at == "batch" else "done")


def interrupted() -> None:
    raise Cancelled


@pytest.mark.parametrize("kind", [SampledMatch, TwinMatch])
def test_holes_are_filled_until_it_is_cancelled(corpus: Path, kind: Any) -> None:
    model = build_model(TINY, TOKENIZER.vocab_size)
    with pytest.raises(Cancelled):
        kind(corpus, TOKENIZER, 1, on_case=interrupted)(model)


@pytest.mark.slow
def test_a_signal_ends_an_export_at_once(corpus: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "tests.unit.train.tiny", "pretrain", "--corpus", str(corpus),
        "--out", str(tmp_path / "run"), "--export", str(tmp_path / "model"), "--recipe", "tiny",
        "--row-tokens", "128", "--batch-tokens", "256", "--tokens", "600", "--workers", "0",
        "--threads", "1", "--sampled-cases", "0", "--precision", "no",
    ]  # fmt: skip
    env = {**environment(threads=1, accelerator=False), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        told = ""
        while "the run is saved" not in told:
            told = process.stderr.readline()
            assert told, "it ended before it said that it is saved"
        process.terminate()
        assert process.wait() == -signal.SIGTERM
    assert checkpoints.newest(tmp_path / "run") is not None
    assert not (tmp_path / "model").exists()
