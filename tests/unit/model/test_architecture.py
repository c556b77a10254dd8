"""Recipes build what they say, and transformers loads it without our code."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, ModernBertForMaskedLM

from diffusion.errors import ModelError
from diffusion.model.architecture import (
    NANO,
    RECIPES,
    ModelRecipe,
    build_config,
    build_model,
    head_logits,
    recipe_named,
    trunk,
)
from tests.unit.model.conftest import TINY, VOCAB


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("nano", 9.5e6, 11.5e6), ("small", 32e6, 34e6), ("base", 105e6, 115e6)],
)
def test_sizes(name: str, low: float, high: float) -> None:
    assert low < recipe_named(name).parameters(16_384) < high
    assert RECIPES[name].width % 64 == 0


@pytest.mark.parametrize("recipe", [TINY, NANO], ids=lambda recipe: recipe.name)
def test_parameter_count_is_exact(recipe: ModelRecipe) -> None:
    with torch.device("meta"):
        model = ModernBertForMaskedLM(build_config(recipe, VOCAB))
        model.tie_weights()
    assert sum(weight.numel() for weight in model.parameters()) == recipe.parameters(VOCAB)


def test_unknown_recipe_names_the_known() -> None:
    with pytest.raises(ModelError, match="choose one of nano, small, base"):
        recipe_named("huge")


def test_global_tied_and_bare() -> None:
    model = build_model(TINY, VOCAB)
    assert set(model.config.layer_types) == {"full_attention"}
    assert model.config.rope_parameters["full_attention"]["rope_theta"] == 10_000.0
    assert model.decoder.weight is model.model.embeddings.tok_embeddings.weight
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]
    assert not [m for m in model.modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    assert (model.config.pad_token_id, model.config.mask_token_id) == (0, 1)


def test_training_starts_at_the_uniform_loss() -> None:
    torch.manual_seed(0)
    model = build_model(TINY, VOCAB)
    ids_BL = torch.randint(32, VOCAB, (4, 32))
    loss = model(input_ids=ids_BL, labels=ids_BL.roll(1)).loss
    assert abs(loss.item() - math.log(VOCAB)) < 0.5


def test_stock_transformers_loads_a_saved_model(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model(TINY, VOCAB).eval()
    model.save_pretrained(tmp_path)
    stock = AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert type(stock) is ModernBertForMaskedLM
    ids_BL = torch.randint(0, VOCAB, (2, 12))
    with torch.no_grad():
        assert torch.equal(stock(input_ids=ids_BL).logits, model(input_ids=ids_BL).logits)


def test_trunk_and_head_need_a_masked_lm() -> None:
    encoder = build_model(TINY, VOCAB).model
    with pytest.raises(ModelError, match="masked LM"):
        trunk(encoder)
    with pytest.raises(ModelError, match="ModernBERT, BERT"):
        head_logits(encoder, torch.zeros(1, TINY.width))
