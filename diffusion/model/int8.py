"""Linear layers with int8 weights, for processors with and without int8 dot products.

Both kinds keep each output feature's weights on its own scale (set when the model is loaded) and
each *token's* activations on their own scale (set as it passes). A scale per token costs no more
than one per tensor and keeps the bet exact: what a token computes never depends on which other
canvases share its batch. `torch.ao.quantization`'s dynamic linear scales per tensor, and is
deprecated as of torch 2.10 (docs/decisions/0004).

`Int8Linear` is `torch._int_mm` (oneDNN: VNNI, AMX). On a processor with AVX2 alone that is a plain
loop, ten to a hundred times slower than float32; there `PackedInt8Linear` has FBGEMM's kernel
(Khudia et al. 2021, arXiv 2101.05615), which is about twice as fast as float32 on many tokens and
up to ten times on few. `int8_linear` takes the one that wins on this machine.

Invariant: layers are for inference; what they were made of stays as it is.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn

_INT8_MAX = 127.0
_SMALLEST_PEAK = 1e-12  # a token of zeros still needs a scale to divide by
_UINT8_ZERO = 128
_INT7_MAX = 63.0
"""FBGEMM adds pairs of products in 16 bits: 255 * 63 * 2 fits, 255 * 127 * 2 would saturate."""
_RACE_SHAPE = (16, 256, 512)  # tokens, K, N: small, since the loser may be very slow
_RACE_ROUNDS = 4
_HOPELESS = 4.0


class Int8Layer(nn.Module):
    """A linear layer with rounded weights; the kinds differ in the product."""

    bias_N: torch.Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        """Rounds `linear`'s weights; the layer itself is left as it is."""
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        bias_N = None if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("bias_N", bias_N)
        self._round(linear.weight.detach().float())

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[..., K] float32 -> [..., N] float32."""
        shape = (*input.shape[:-1], self.out_features)
        input_TK = input.reshape(-1, self.in_features)
        if not len(input_TK):
            return input.new_empty(shape)
        peak_T1 = input_TK.abs().amax(dim=1, keepdim=True).clamp_min_(_SMALLEST_PEAK)
        scale_T1 = peak_T1.div_(_INT8_MAX)
        output_TN = self._product(input_TK / scale_T1).mul_(scale_T1)
        if self.bias_N is not None:
            output_TN.add_(self.bias_N)
        return output_TN.view(shape)

    def restored_NK(self) -> torch.Tensor:
        """The weights as they were rounded, float32."""
        raise NotImplementedError

    def _round(self, weight_NK: torch.Tensor) -> None:
        """Keep `weight_NK`, rounded."""
        raise NotImplementedError

    def _product(self, input_TK: torch.Tensor) -> torch.Tensor:
        """Round tokens of -127..127, and multiply: [T, K] -> [T, N] float32."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Shape, for printing a model."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


class Int8Linear(Int8Layer):
    """On `torch._int_mm`."""

    weight_KN: torch.Tensor
    scale_N: torch.Tensor

    def _round(self, weight_NK: torch.Tensor) -> None:
        scale_N = weight_NK.abs().amax(dim=1).clamp_min(_SMALLEST_PEAK) / _INT8_MAX
        rounded_NK = (weight_NK / scale_N[:, None]).round().to(torch.int8)
        # Stored input-major: int_mm runs up to 1.8 times faster than on the transposed view.
        self.register_buffer("weight_KN", rounded_NK.t().contiguous())
        self.register_buffer("scale_N", scale_N)

    def _product(self, input_TK: torch.Tensor) -> torch.Tensor:
        rounded_TK = input_TK.round_().to(torch.int8)
        return torch._int_mm(rounded_TK, self.weight_KN) * self.scale_N

    def restored_NK(self) -> torch.Tensor:
        return self.weight_KN.t() * self.scale_N[:, None]


class PackedInt8Linear(Int8Layer):
    """On FBGEMM: activations of 8 bits, weights of 7."""

    def _round(self, weight_NK: torch.Tensor) -> None:
        scale_N = weight_NK.abs().amax(dim=1).clamp_min(_SMALLEST_PEAK) / _INT7_MAX
        zeros_N = torch.zeros(len(scale_N), dtype=torch.long)
        _hear_torch_out()
        # As torch.quantize_per_channel rounds, in an eighth of the time.
        rounded_NK = (weight_NK / scale_N[:, None]).round_().to(torch.int8)
        quantised = torch._make_per_channel_quantized_tensor(
            rounded_NK, scale_N.double(), zeros_N, 0
        )
        self._packed: Any = torch.ops.quantized.linear_prepack(quantised, None)

    def _product(self, input_TK: torch.Tensor) -> torch.Tensor:
        # Each token has been scaled already, so that a scale of 1 serves the kernel for all.
        output_TN: torch.Tensor = (
            torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
                input_TK, 1.0, _UINT8_ZERO, self._packed
            )
        )
        return output_TN

    def restored_NK(self) -> torch.Tensor:
        weight_NK: torch.Tensor = torch.ops.quantized.linear_unpack(self._packed)[0]
        return weight_NK.dequantize()


@cache
def _hear_torch_out() -> None:
    """Makes the one quantised tensor that torch warns of in a process; the kernel stays.

    On one thread, before there are others that round: filters of warnings are everybody's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one_11, scale_1, zero_1 = torch.ones(1, 1), torch.ones(1).double(), torch.zeros(1).long()
        torch.quantize_per_channel(one_11, scale_1, zero_1, 0, torch.qint8)


def int8_linear(linear: nn.Linear) -> Int8Layer:
    """`linear` in int8, on the kernel that is the fastest here."""
    return fastest_int8_layer()(linear)


def int8_of(weight_NK: torch.Tensor) -> Int8Layer:
    """A layer with these weights, rounded, and no bias."""
    linear = nn.Linear(weight_NK.shape[1], weight_NK.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight_NK, requires_grad=False)
    return int8_linear(linear)


def int8_layers() -> tuple[type[Int8Layer], ...]:
    """The kinds that this build of torch has; FBGEMM is in those for x86."""
    packed = "fbgemm" in torch.backends.quantized.supported_engines and hasattr(
        torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    )
    return (Int8Linear, PackedInt8Linear) if packed else (Int8Linear,)


@cache
@torch.inference_mode()
def fastest_int8_layer() -> type[Int8Layer]:
    """Races the kinds on this machine, once in a process; some milliseconds."""
    tokens, width, features = _RACE_SHAPE
    input_TK = torch.randn(tokens, width)
    layer = nn.Linear(width, features, bias=False)
    runners = {kind: kind(layer) for kind in int8_layers()}
    if len(runners) == 1:
        return Int8Linear
    return min(runners, key=lambda kind: best_ms(lambda: runners[kind](input_TK), _RACE_ROUNDS))


def best_ms(run: Callable[[], object], rounds: int, *, beaten_ms: float = math.inf) -> float:
    """The shortest of several runs: it is what a busy machine disturbs least.

    What is `_HOPELESS` times slower than `beaten_ms` is run no further.
    """
    run()  # the first call allocates and may generate code
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        best = min(best, 1000 * (time.perf_counter() - started))
        if best > _HOPELESS * beaten_ms:
            break
    return best
