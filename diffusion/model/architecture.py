"""The bundled encoder's shapes, and where any Hugging Face masked-LM is cut in two.

A recipe is a size; `build_model` turns it into a `ModernBertForMaskedLM` with random weights.
`trunk` and `head_logits` split a masked LM into encoder and vocabulary head, so that the head,
which costs as much as several layers at a 16k vocabulary, runs only where logits are wanted.

Invariants: every layer attends globally (a window would hide the suffix behind the position gap),
no biases, no dropout, and the output embedding is the input embedding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedModel

from diffusion.errors import ModelError
from diffusion.text.tokenizer import BOF, EOF, MASK, PAD

ROPE_THETA = 10_000.0
HEAD_WIDTH = 64


@dataclass(frozen=True, slots=True)
class ModelRecipe:
    """One encoder size. `width` is the hidden size, `inner` the GLU's inner width."""

    name: str
    width: int
    layers: int
    inner: int
    max_positions: int = 4096

    @property
    def heads(self) -> int:
        """Attention heads of 64 features; a width below 64 gets a single narrower head."""
        return max(1, self.width // HEAD_WIDTH)

    def parameters(self, vocab_size: int) -> int:
        """Number of weights of the model this recipe builds (tied embedding counted once)."""
        embedding = vocab_size * self.width + self.width
        layer = 4 * self.width**2 + 3 * self.width * self.inner + 2 * self.width
        prediction_head = self.width**2 + self.width
        first_layer_has_no_norm, final_norm = -self.width, self.width
        return (
            embedding + self.layers * layer + first_layer_has_no_norm + final_norm + prediction_head
        )


NANO = ModelRecipe("nano", width=256, layers=8, inner=704)  # 10.7M weights at 16,384 tokens
SMALL = ModelRecipe("small", width=512, layers=11, inner=768)  # 33M
BASE = ModelRecipe("base", width=768, layers=16, inner=1664)  # 112M
RECIPES = {recipe.name: recipe for recipe in (NANO, SMALL, BASE)}


def recipe_named(name: str) -> ModelRecipe:
    """The recipe called `name`; ModelError lists the known names otherwise."""
    try:
        return RECIPES[name]
    except KeyError:
        known = ", ".join(RECIPES)
        raise ModelError(
            f"no model recipe is called {name!r}", fix=f"choose one of {known}"
        ) from None


def build_config(recipe: ModelRecipe, vocab_size: int) -> ModernBertConfig:
    """ModernBERT configuration of `recipe`.

    The initial spread follows the width (0.5 / sqrt(width)), which gives logits a deviation of
    about 0.5 through the tied embedding, so training starts near log(vocab_size). transformers
    scales each block's output projections down by sqrt(2 * layers) on top of that.
    """
    rope = {"rope_type": "default", "rope_theta": ROPE_THETA}
    config = ModernBertConfig(
        vocab_size=vocab_size,
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        layer_types=["full_attention"] * recipe.layers,
        rope_parameters={"full_attention": dict(rope), "sliding_attention": dict(rope)},
        max_position_embeddings=recipe.max_positions,
        initializer_range=0.5 * recipe.width**-0.5,
        attention_bias=False,
        mlp_bias=False,
        norm_bias=False,
        decoder_bias=False,
        classifier_bias=False,
        attention_dropout=0.0,
        mlp_dropout=0.0,
        embedding_dropout=0.0,
        classifier_dropout=0.0,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        bos_token_id=BOF,
        cls_token_id=BOF,
        eos_token_id=EOF,
        sep_token_id=EOF,
    )
    config.mask_token_id = MASK  # not a field of ModernBERT's, kept for whoever reads the file
    return config


def build_model(recipe: ModelRecipe, vocab_size: int) -> ModernBertForMaskedLM:
    """A randomly initialised float32 model of `recipe`, in training mode.

    Uses torch's global random state: call `torch.manual_seed` first for a repeatable start.
    """
    model = ModernBertForMaskedLM(build_config(recipe, vocab_size))
    model.train()
    return model


def trunk(model: PreTrainedModel) -> nn.Module:
    """The encoder of a masked LM: ids_BL -> `.last_hidden_state` [B, L, D]."""
    encoder: nn.Module = model.base_model
    if encoder is model:
        raise ModelError(
            f"{type(model).__name__} has no vocabulary head",
            fix="load a checkpoint that was saved as a masked LM, with AutoModelForMaskedLM",
        )
    return encoder


def head_features(model: PreTrainedModel, hidden_MD: torch.Tensor) -> torch.Tensor:
    """What the vocabulary projection of the model's own head reads, [M, D].

    Knows the heads of ModernBERT, BERT, RoBERTa and DistilBERT (and families built like them).
    Raises ModelError for any other head.
    """
    parts: Any = model
    if hasattr(model, "decoder") and hasattr(model, "head"):  # ModernBERT
        return parts.head(hidden_MD)
    if hasattr(model, "cls"):  # BERT
        return parts.cls.predictions.transform(hidden_MD)
    if hasattr(model, "lm_head"):  # RoBERTa
        return parts.lm_head.layer_norm(nn.functional.gelu(parts.lm_head.dense(hidden_MD)))
    if hasattr(model, "vocab_projector"):  # DistilBERT
        return parts.vocab_layer_norm(parts.activation(parts.vocab_transform(hidden_MD)))
    raise ModelError(
        f"{type(model).__name__} keeps its vocabulary head where Diffill does not look",
        fix="use a ModernBERT, BERT, RoBERTa or DistilBERT masked LM",
    )


def head_decoder(model: PreTrainedModel) -> nn.Linear:
    """The vocabulary projection [M, D] -> [M, V], the last layer of the model's head.

    A quantised model has a layer of its own kind in this place, which is called alike.
    """
    decoder: Any = model.get_output_embeddings()
    if decoder is None:
        raise ModelError(
            f"{type(model).__name__} has no vocabulary head",
            fix="load a checkpoint that was saved as a masked LM, with AutoModelForMaskedLM",
        )
    projection: nn.Linear = decoder
    return projection


def head_logits(model: PreTrainedModel, hidden_MD: torch.Tensor) -> torch.Tensor:
    """Vocabulary logits [M, V] of M gathered hidden states, with the model's own head.

    Raises ModelError where `head_features` or `head_decoder` do.
    """
    features_MD = head_features(model, hidden_MD)
    logits_MV: torch.Tensor = head_decoder(model)(features_MD)
    return logits_MV
