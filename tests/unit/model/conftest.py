"""Tiny random encoders of the four families Diffill takes over, built from configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from diffusion.model.architecture import ModelRecipe, build_model
from diffusion.model.denoiser import MaskedLMDenoiser
from tests.support.threads import one_torch_thread

VOCAB = 512
TINY = ModelRecipe("tiny", width=64, layers=3, inner=96)
START, GAP = 14, 64


def _modernbert() -> PreTrainedModel:
    # Two heads of 32: one head would hide a wrong head layout.
    return build_model(ModelRecipe("tiny", width=128, layers=3, inner=96), VOCAB)


def _bert() -> PreTrainedModel:
    return BertForMaskedLM(
        BertConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        )
    )


def _roberta() -> PreTrainedModel:
    return RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=130,
            pad_token_id=1,
        )
    )


def _distilbert() -> PreTrainedModel:
    return DistilBertForMaskedLM(
        DistilBertConfig(
            vocab_size=VOCAB,
            dim=32,
            n_layers=2,
            n_heads=2,
            hidden_dim=64,
            max_position_embeddings=128,
        )
    )


FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    "modernbert": _modernbert,
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
}


def random_model(family: str, gain: float = 2.5) -> PreTrainedModel:
    """A model whose weights are spread widely, so that attention and position matter.

    A gain above 1 sharpens differences, rounding included: real models are nearer 1.
    """
    torch.manual_seed(20)
    model = FAMILIES[family]()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2:
                weight.normal_(0.0, gain * weight.shape[1] ** -0.5)
    model.tie_weights()
    return model.eval()


@dataclass(frozen=True)
class Case:
    """A context with a gap, and canvases of different lengths in one padded batch."""

    context_ids_1C: torch.Tensor
    context_positions_1C: torch.Tensor
    ids_BN: torch.Tensor
    lengths_B: torch.Tensor

    @property
    def valid_BN(self) -> torch.Tensor:
        return torch.arange(self.ids_BN.shape[1]) < self.lengths_B[:, None]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and on a busy machine threads wait for each other."""
    with one_torch_thread():
        yield


@pytest.fixture
def case() -> Case:
    generator = torch.Generator().manual_seed(5)
    prefix, suffix = torch.arange(START), torch.arange(START + GAP, START + GAP + 11)
    return Case(
        torch.randint(32, VOCAB, (1, START + 11), generator=generator),
        torch.cat((prefix, suffix))[None],
        torch.randint(0, VOCAB, (4, 9), generator=generator),
        torch.tensor([9, 4, 1, 6]),
    )


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return random_model(request.param)


@pytest.fixture
def denoiser(model: PreTrainedModel) -> MaskedLMDenoiser:
    return MaskedLMDenoiser(model)
