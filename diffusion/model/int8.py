"""Linear layers with int8 weights, for processors with and without int8 dot products.

Both kinds keep each output feature's weights on its own scale (set when the model is loaded) and
each *token's* activations on their own scale (set as it passes). A scale per token costs no more
than one per tensor and keeps the bet exact: what a token computes never depends on which other
canvases share its batch. `torch.ao.quantization`'s dynamic linear scales per tensor, and is
deprecated as of torch 2.10 (docs/decisions/0004).

`Int8Linear` is `torch._int_mm` (oneDNN: VNNI, AMX). On a processor with AVX2 alone that is a plain
loop, some hundred times slower than float32; there `PackedInt8Linear` has FBGEMM's kernel
(Khudia et al. 2021, arXiv 2101.05615), which is two to nine times faster than float32.
`int8_linear` takes the one that wins on this machine.

Invariant: layers are for inference; what they were made of stays as it is.
"""

from __future__ import annotations

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
_RACE_ROUNDS = 5


class Int8Linear(nn.Module):
    """A linear layer on `torch._int_mm`."""

    weight_KN: torch.Tensor
    scale_N: torch.Tensor
    bias_N: torch.Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        """Rounds `linear`'s weights; the layer itself is left as it is."""
        super().__init__()
        weight_NK = linear.weight.detach().float()
        scale_N = weight_NK.abs().amax(dim=1).clamp_min(_SMALLEST_PEAK) / _INT8_MAX
        rounded_NK = (weight_NK / scale_N[:, None]).round().to(torch.int8)
        # Stored input-major: int_mm runs up to 1.8 times faster than on the transposed view.
        self.register_buffer("weight_KN", rounded_NK.t().contiguous())
        self.register_buffer("scale_N", scale_N)
        self.register_buffer("bias_N", _bias(linear))
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[..., K] float32 -> [..., N] float32."""
        input_TK = input.reshape(-1, self.in_features)
        scale_T1 = _scale_of_tokens(input_TK)
        rounded_TK = (input_TK / scale_T1).round_().to(torch.int8)
        output_TN = torch._int_mm(rounded_TK, self.weight_KN) * self.scale_N
        output_TN.mul_(scale_T1)
        if self.bias_N is not None:
            output_TN.add_(self.bias_N)
        return output_TN.view(*input.shape[:-1], self.out_features)

    def restored_NK(self) -> torch.Tensor:
        """The weights as they were rounded, float32."""
        return self.weight_KN.t() * self.scale_N[:, None]

    def extra_repr(self) -> str:
        """Shape, for printing a model."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


class PackedInt8Linear(nn.Module):
    """A linear layer on FBGEMM: activations of 8 bits, weights of 7."""

    bias_N: torch.Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        """Rounds `linear`'s weights; the layer itself is left as it is."""
        super().__init__()
        weight_NK = linear.weight.detach().float().contiguous()
        scale_N = weight_NK.abs().amax(dim=1).clamp_min(_SMALLEST_PEAK) / _INT7_MAX
        zeros_N = torch.zeros(len(scale_N), dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # quantised tensors are deprecated; the kernel is not
            quantised = torch.quantize_per_channel(
                weight_NK, scale_N.double(), zeros_N, 0, torch.qint8
            )
            self._packed: Any = torch.ops.quantized.linear_prepack(quantised, None)
        self.register_buffer("bias_N", _bias(linear))
        self.in_features, self.out_features = linear.in_features, linear.out_features

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[..., K] float32 -> [..., N] float32."""
        input_TK = input.reshape(-1, self.in_features)
        if not len(input_TK):
            return input.new_empty(*input.shape[:-1], self.out_features)
        scale_T1 = _scale_of_tokens(input_TK)
        # Each token is scaled to -127..127 here, so that one scale serves the kernel for all.
        output_TN: torch.Tensor = _packed_product(
            input_TK / scale_T1, 1.0, _UINT8_ZERO, self._packed
        )
        output_TN.mul_(scale_T1)
        if self.bias_N is not None:
            output_TN.add_(self.bias_N)
        return output_TN.view(*input.shape[:-1], self.out_features)

    def restored_NK(self) -> torch.Tensor:
        """The weights as they were rounded, float32."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weight_NK: torch.Tensor = torch.ops.quantized.linear_unpack(self._packed)[0]
            return weight_NK.dequantize()

    def extra_repr(self) -> str:
        """Shape, for printing a model."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


Int8Layer = Int8Linear | PackedInt8Linear
INT8_LAYERS: tuple[type[Int8Layer], ...] = (Int8Linear, PackedInt8Linear)


def int8_linear(linear: nn.Linear) -> Int8Layer:
    """`linear` in int8, on the kernel that is the fastest here."""
    return fastest_int8_layer()(linear)


def int8_of(weight_NK: torch.Tensor) -> Int8Layer:
    """A layer with these weights, rounded, and no bias."""
    linear = nn.Linear(weight_NK.shape[1], weight_NK.shape[0], bias=False, device="meta")
    linear.weight = nn.Parameter(weight_NK, requires_grad=False)
    return int8_linear(linear)


def packed_is_there() -> bool:
    """Whether this build of torch has FBGEMM and the operator that is asked for."""
    return "fbgemm" in torch.backends.quantized.supported_engines and hasattr(
        torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    )


@cache
@torch.inference_mode()
def fastest_int8_layer() -> type[Int8Layer]:
    """Races the two kernels on this machine, once in a process; some milliseconds."""
    if not packed_is_there():
        return Int8Linear
    tokens, width, features = _RACE_SHAPE
    input_TK = torch.randn(tokens, width)
    layer = nn.Linear(width, features, bias=False)
    runners = {kind: kind(layer) for kind in INT8_LAYERS}
    return min(runners, key=lambda kind: best_ms(lambda: runners[kind](input_TK), _RACE_ROUNDS))


def best_ms(run: Callable[[], object], rounds: int) -> float:
    """The shortest of several runs: it is what a busy machine disturbs least."""
    run()  # the first call allocates and may generate code
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def _packed_product(
    input_TK: torch.Tensor, scale: float, zero: int, packed: Any
) -> torch.Tensor:
    product: torch.Tensor = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
        input_TK, scale, zero, packed
    )
    return product


def _bias(linear: nn.Linear) -> torch.Tensor | None:
    return None if linear.bias is None else linear.bias.detach().float()


def _scale_of_tokens(input_TK: torch.Tensor) -> torch.Tensor:
    """What each token is divided by to lie in -127..127, [T, 1]."""
    peak_T1 = input_TK.abs().amax(dim=1, keepdim=True).clamp_min_(_SMALLEST_PEAK)
    return peak_T1.div_(_INT8_MAX)
