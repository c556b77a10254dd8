"""Rounded models: close to the original, and as exact about their cache."""

from __future__ import annotations

import copy
import time
import warnings

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from diffusion.errors import ConfigError
from diffusion.model.denoiser import MaskedLMDenoiser
from diffusion.model.int8 import (
    Int8Layer,
    PackedInt8Linear,
    best_ms,
    fastest_int8_layer,
    int8_layers,
)
from diffusion.model.quantize import (
    MODES,
    Mode,
    fastest_mode,
    for_cpu,
    is_quantized,
)
from tests.unit.model.conftest import FAMILIES, START, Case, random_model


def logits(model: PreTrainedModel, case: Case) -> torch.Tensor:
    denoiser = MaskedLMDenoiser(model)
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    return denoiser.bind(cache, START)(case.ids_BN, case.lengths_B, case.valid_BN)


@pytest.fixture(params=int8_layers())
def int8_layer(request: pytest.FixtureRequest) -> type[Int8Layer]:
    kind: type[Int8Layer] = request.param
    return kind


@pytest.mark.parametrize("shape", [(7, 48), (1, 48), (0, 48), (2, 5, 48), (48,)])
@pytest.mark.parametrize("bias", [True, False])
def test_int8_linear_is_close(
    shape: tuple[int, ...], bias: bool, int8_layer: type[Int8Layer]
) -> None:
    torch.manual_seed(1)
    linear = nn.Linear(48, 40, bias=bias)
    with torch.no_grad():
        input = torch.randn(shape)
        exact, rounded = linear(input), int8_layer(linear)(input)
    assert rounded.shape == exact.shape
    torch.testing.assert_close(rounded, exact, atol=0.03, rtol=0)


def test_int8_scales_are_per_feature_and_per_token(int8_layer: type[Int8Layer]) -> None:
    torch.manual_seed(1)
    linear = nn.Linear(64, 32, bias=False)
    with torch.no_grad():
        linear.weight[5] *= 1000  # an outlier feature must not cost the others
        input_TK = torch.randn(6, 64)
        input_TK[2] *= 1000  # nor an outlier token
        exact, rounded = linear(input_TK), int8_layer(linear)(input_TK)
    ordinary = [row for row in range(6) if row != 2]
    features = [row for row in range(32) if row != 5]
    error = (rounded - exact)[ordinary][:, features].abs().max()
    assert error < 0.03
    assert torch.equal(int8_layer(linear)(torch.zeros(2, 64)), torch.zeros(2, 32))


def test_int8_of_a_token_does_not_depend_on_its_batch(int8_layer: type[Int8Layer]) -> None:
    torch.manual_seed(1)
    layer = int8_layer(nn.Linear(64, 32))
    input_TK = torch.randn(9, 64)
    assert torch.equal(layer(input_TK)[4:5], layer(input_TK[4:5]))


@pytest.mark.parametrize("mode", ["bf16", "int8"])
@pytest.mark.parametrize("family", FAMILIES)
def test_rounded_logits_are_close(family: str, mode: Mode, case: Case) -> None:
    model = random_model(family, gain=1.0)
    exact_MV = logits(model, case)
    rounded_MV = logits(for_cpu(copy.deepcopy(model), mode), case)
    relative = (rounded_MV - exact_MV).norm() / exact_MV.norm()
    assert 0 < relative < 0.05
    agreement = (rounded_MV.argmax(-1) == exact_MV.argmax(-1)).float().mean()
    assert agreement >= 0.85
    assert rounded_MV.dtype == torch.float32


@pytest.mark.parametrize("mode", MODES)
def test_cache_stays_exact(model: PreTrainedModel, mode: Mode, case: Case) -> None:
    denoiser = MaskedLMDenoiser(for_cpu(model, mode))
    assert is_quantized(model) == (mode == "int8")
    assert (model.dtype == torch.bfloat16) == (mode == "bf16")
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    step = denoiser.bind(cache, START)
    first_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    scrambled_BN = torch.where(case.valid_BN, case.ids_BN, case.ids_BN.flip(1))
    assert torch.equal(first_MV, step(scrambled_BN, case.lengths_B, case.valid_BN))
    again = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    for old, new in zip(cache.layers, again.layers, strict=True):
        assert torch.equal(old.key_1HCD, new.key_1HCD)
        assert torch.equal(old.value_1HCD, new.value_1HCD)


def test_int8_canvases_do_not_disturb_each_other(case: Case) -> None:
    denoiser = MaskedLMDenoiser(for_cpu(random_model("modernbert"), "int8"))
    cache = denoiser.encode_context(case.context_ids_1C, case.context_positions_1C)
    step = denoiser.bind(cache, START)
    together_MV = step(case.ids_BN, case.lengths_B, case.valid_BN)
    alone_MV = step(case.ids_BN[:1], case.lengths_B[:1], case.valid_BN[:1])
    # Attention sums in another order; a last bit may tip a rounding, no more.
    assert (together_MV[:9] - alone_MV).norm() / alone_MV.norm() < 0.01


def test_pairs_of_large_products_do_not_saturate(int8_layer: type[Int8Layer]) -> None:
    """FBGEMM adds two of them in 16 bits before it widens."""
    linear = nn.Linear(64, 8, bias=False)
    with torch.no_grad():
        linear.weight.fill_(1.0)
        rounded = int8_layer(linear)(torch.ones(3, 64))
    torch.testing.assert_close(rounded, torch.full((3, 8), 64.0))


@pytest.mark.skipif(PackedInt8Linear not in int8_layers(), reason="no FBGEMM here")
def test_packed_weights_are_rounded_as_torch_rounds_them() -> None:
    linear = torch.nn.Linear(64, 48, bias=False)
    linear.weight.data[0] = 0.0
    linear.weight.data[1, :2] = torch.tensor([0.5, 63.0])  # half a step: to the even one
    weight_NK = linear.weight.detach()
    scale_N = weight_NK.abs().amax(dim=1).clamp_min(1e-12) / 63
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_torch = torch.quantize_per_channel(
            weight_NK, scale_N.double(), torch.zeros(48, dtype=torch.long), 0, torch.qint8
        )
    torch.testing.assert_close(
        PackedInt8Linear(linear).restored_NK(), by_torch.dequantize(), rtol=0, atol=0
    )


def test_a_race_ends_for_who_cannot_win_it() -> None:
    runs: list[float] = []

    def slow() -> None:
        runs.append(time.perf_counter())
        while time.perf_counter() < runs[-1] + 0.002:
            pass

    assert best_ms(slow, 5, beaten_ms=0.1) >= 2 and len(runs) == 2
    runs.clear()
    assert best_ms(slow, 5) >= 2 and len(runs) == 6


def test_tied_embedding_keeps_its_weights(model: PreTrainedModel) -> None:
    before = model.get_input_embeddings().weight.detach().clone()
    quantized = for_cpu(model, "int8")
    assert quantized is model
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert not [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert is_quantized(model)
    head = model.get_output_embeddings()
    assert isinstance(head, fastest_int8_layer())
    torch.testing.assert_close(head.restored_NK(), before, atol=0.04, rtol=0)


def test_auto_takes_what_the_race_finds(model: PreTrainedModel) -> None:
    assert fastest_mode(model) in MODES
    assert for_cpu(model, "auto") is model


def test_unknown_mode_is_named(model: PreTrainedModel) -> None:
    with pytest.raises(ConfigError, match="fp32, bf16, int8 or auto"):
        for_cpu(model, "int4")  # type: ignore[arg-type]
