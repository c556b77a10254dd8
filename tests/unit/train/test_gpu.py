"""The accelerator's own path: FlexAttention, compiled layers, bfloat16. Needs CUDA and Triton."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from diffusion.data.batches import Batch, build_rows, to_device
from diffusion.data.document_source import DocumentSource
from diffusion.data.shards import ShardSet
from diffusion.model import architecture
from diffusion.model.architecture import ModelRecipe, build_model
from diffusion.pretrained import bundled_tokenizer_path
from diffusion.text.tokenizer import Tokenizer
from diffusion.train.config import Budget
from diffusion.train.flex import FLEX
from diffusion.train.objective import Objective
from diffusion.train.pretrain import pretrain
from diffusion.train.stages import plan
from tests.unit.train.tiny import CONFIG

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore"),  # the compilers' own
]
TOKENIZER = Tokenizer.load(bundled_tokenizer_path())
RECIPE = ModelRecipe("thin", width=128, layers=2, inner=192)


def batch(corpus: Path, causal: bool) -> Batch:
    source = DocumentSource(ShardSet.open(corpus, "train"), TOKENIZER, {})
    config = replace(CONFIG.batch, row_tokens=256, causal=causal)
    return build_rows(source, TOKENIZER, range(4), config)


@pytest.mark.parametrize("causal", [False, True])
def test_flex_and_masked_attention_give_one_loss_and_one_gradient(
    corpus: Path, causal: bool
) -> None:
    device = torch.device("cuda")
    there = to_device(batch(corpus, causal), device)
    found = []
    for attention in (FLEX, "sdpa"):
        torch.manual_seed(0)
        objective = Objective(build_model(RECIPE, TOKENIZER.vocab_size), attention=attention)
        objective.to(device)
        loss = objective(there, there.weights_M.sum())
        loss.backward()
        found.append((loss, [p.grad for p in objective.parameters()]))
    (loss, grads), (plain_loss, plain_grads) = found
    torch.testing.assert_close(loss, plain_loss, atol=1e-3, rtol=1e-3)
    for ours, theirs in zip(grads, plain_grads, strict=True):
        torch.testing.assert_close(ours, theirs, atol=5e-3, rtol=5e-2)


def test_a_compiled_run_goes_through_all_stages(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(architecture.RECIPES, "thin", RECIPE)
    events: list[dict[str, Any]] = []
    config = replace(
        CONFIG, recipe="thin", compile=True, mixed_precision="bf16", ema_decay=0.9,
        stages=plan("full", 1024), batch=replace(CONFIG.batch, rows=8, row_tokens=256),
        rows_per_pass=4,
    )  # fmt: skip
    pretrain(corpus, tmp_path, TOKENIZER, config, Budget(tokens=160_000), report=events.append)
    losses = [event["loss"] for event in events if event["event"] == "train"]
    stages = [event["name"] for event in events if event["event"] == "stage"]
    assert stages == ["causal", "diffusion", "infill", "decay"]
    assert losses[-1] < losses[0] - 1.0
