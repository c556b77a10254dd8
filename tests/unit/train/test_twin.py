"""The twin trains by the same loop, is validated on its middles, and is exported as what it is."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from diffusion.data.batches import BatchConfig, window_tokens
from diffusion.data.fim import FimConfig
from diffusion.evaluate.twin_filler import is_twin, load_twin
from diffusion.model.architecture import ModelRecipe
from diffusion.model.manifest import FIM, Manifest
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.config import Budget, PretrainConfig
from diffusion.train.export import export_checkpoint
from diffusion.train.optimisers import OptimiserConfig
from diffusion.train.pretrain import pretrain
from diffusion.train.stages import PLANS
from diffusion.train.twin import TwinMatch, twin_config
from tests.unit.train.corpora import write_corpus

TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
TINY = ModelRecipe("tiny", width=32, layers=2, inner=32)
CONFIG = PretrainConfig(
    recipe="tiny",
    batch=BatchConfig(rows=2, row_tokens=128),
    optimiser=OptimiserConfig(warmup_steps=2, decay_share=0.3),
    mixed_precision="no",
    workers=0,
    log_every_steps=1,
    validation_rows=8,
)
pytestmark = pytest.mark.usefixtures("tiny_recipe")


def test_only_the_objective_differs() -> None:
    for stages in PLANS.values():
        config = replace(CONFIG, stages=stages)
        twin = twin_config(config)
        assert [(s.name, s.until) for s in twin.stages] == [(s.name, s.until) for s in stages]
        assert all(s.causal and isinstance(s.example, FimConfig) for s in twin.stages)
        assert [s.example.mix for s in twin.stages] == [s.example.mix for s in stages]
        windows = {window_tokens(1024, s.example) for s in twin.stages}
        assert windows == {window_tokens(1024, FimConfig())}, "room for canvases that it has not"
        assert replace(twin, batch=config.batch, stages=stages) == config
        assert twin.batch.causal and isinstance(twin.batch.example, FimConfig)
        assert twin.fingerprint() != config.fingerprint()


@pytest.mark.slow
def test_it_learns_and_its_folder_says_what_it_is(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", TOKENIZER)
    events: list[dict[str, Any]] = []
    pretrain(
        corpus, tmp_path / "run", TOKENIZER, twin_config(CONFIG), Budget(tokens=5000),
        report=events.append, sampled_match=TwinMatch(corpus, TOKENIZER, 2),
    )  # fmt: skip
    losses = [e["loss"] for e in events if e["event"] == "train"]
    assert sum(losses[-4:]) / 4 < sum(losses[:4]) / 4 - 0.3
    check = next(e for e in events if e["event"] == "validation")
    assert set(check["by_share"]) == {"1.0"}
    assert 0 <= check["sampled_exact_match"] <= 1
    (corpus / "manifest.json").write_text("{}")
    export_checkpoint(
        tmp_path / "run", tmp_path / "model", bundled_tokenizer_path(), None,
        recipe="tiny", objective=FIM, corpus_manifest=corpus / "manifest.json",
    )  # fmt: skip
    manifest = Manifest.read(tmp_path / "model")
    digest = hashlib.sha256((corpus / "manifest.json").read_bytes()).hexdigest()
    assert manifest is not None and manifest.training_data == digest[:16]
    assert is_twin(tmp_path / "model")
    assert load_twin(tmp_path / "model", precision="fp32").name == "twin"
