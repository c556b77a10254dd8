"""Makes a loaded model fast on a CPU: int8, bfloat16 or float32 weights behind one function.

int8 keeps each output feature's weights on its own scale (set when the model is loaded) and each
*token's* activations on their own scale (set as it passes). A scale per token costs no more than
one per tensor and keeps the bet exact: what a token computes never depends on which other canvases
share its batch. Products are accumulated in int32 by `torch._int_mm` (oneDNN: VNNI, AMX).
Chosen over `torch.ao.quantization`'s dynamic linear, which is deprecated as of torch 2.10, scales
per tensor and measured 10-30 % slower (docs/decisions/0004).

Invariants: embeddings, norms and attention keep their precision; a tied embedding keeps its own
weights, only the vocabulary head's copy is rounded. A quantised model is for inference: it is
never saved and never trained.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import nn

from diffusion.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Mode = Literal["fp32", "bf16", "int8"]
MODES: tuple[Mode, ...] = get_args(Mode)

_INT8_MAX = 127.0
_SMALLEST_PEAK = 1e-12  # a token of zeros still needs a scale to divide by
_RACE_TOKENS = 64  # four canvases of sixteen
_RACE_ROUNDS = 7
_RACE_MARGIN = 0.85  # a coarser mode must win by this much


class Int8Linear(nn.Module):
    """A linear layer with int8 weights, one scale per output feature and one per token."""

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
        bias_N = None if linear.bias is None else linear.bias.detach().float()
        self.register_buffer("bias_N", bias_N)
        self.in_features, self.out_features = linear.in_features, linear.out_features

    @classmethod
    def of(cls, weight_NK: torch.Tensor) -> Int8Linear:
        """A layer with these weights, rounded, and no bias."""
        linear = nn.Linear(weight_NK.shape[1], weight_NK.shape[0], bias=False, device="meta")
        linear.weight = nn.Parameter(weight_NK, requires_grad=False)
        return cls(linear)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """[..., K] float32 -> [..., N] float32."""
        input_TK = input.reshape(-1, self.in_features)
        peak_T1 = input_TK.abs().amax(dim=1, keepdim=True).clamp_min_(_SMALLEST_PEAK)
        scale_T1 = peak_T1.div_(_INT8_MAX)
        rounded_TK = (input_TK / scale_T1).round_().to(torch.int8)
        output_TN = torch._int_mm(rounded_TK, self.weight_KN) * self.scale_N
        output_TN.mul_(scale_T1)
        if self.bias_N is not None:
            output_TN.add_(self.bias_N)
        return output_TN.view(*input.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Shape, for printing a model."""
        return f"in_features={self.in_features}, out_features={self.out_features}"


def for_cpu(model: PreTrainedModel, mode: Mode | Literal["auto"] = "auto") -> PreTrainedModel:
    """Prepares `model` for CPU inference, in place, and returns it.

    Args:
        model: any masked LM in float32 or bfloat16; merge adapters into it first.
        mode: "fp32", "bf16", "int8", or "auto" for whichever `fastest_mode` finds.

    Raises:
        ConfigError: unknown mode.
    """
    if mode == "auto":
        mode = fastest_mode(model)
    if mode not in MODES:
        raise ConfigError(
            f"no precision is called {mode!r}", fix=f"choose one of {', '.join(MODES)} or auto"
        )
    model.eval()
    dtype = torch.bfloat16 if mode == "bf16" else torch.float32
    nn.Module.to(model, dtype)
    if mode == "int8":
        _replace_linears(model)
    return model


def is_quantized(model: nn.Module) -> bool:
    """Whether `for_cpu` has rounded this model's layers to int8."""
    return any(isinstance(module, Int8Linear) for module in model.modules())


def mode_of(model: nn.Module) -> Mode:
    """The precision a model runs in."""
    if is_quantized(model):
        return "int8"
    return "bf16" if next(model.parameters()).dtype == torch.bfloat16 else "fp32"


@torch.inference_mode()
def fastest_mode(model: nn.Module) -> Mode:
    """Races the precisions on this machine, on the model's largest layer but the head; ~20 ms.

    Which one wins depends on the processor (VNNI, AMX, bf16 units), so it is measured, not
    guessed. The best of several rounds counts: it is what a busy machine disturbs least.
    """
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linears:
        return "fp32"
    trunk_linears = linears[:-1] or linears  # the last one is the vocabulary head
    return fastest_mode_for(max(trunk_linears, key=lambda layer: layer.weight.numel()).weight)


@torch.inference_mode()
def fastest_mode_for(weight_NK: torch.Tensor) -> Mode:
    """Races the precisions on a layer of these weights. See `fastest_mode`."""
    plain = nn.Linear(weight_NK.shape[1], weight_NK.shape[0], bias=False)
    plain.weight.copy_(weight_NK)
    input_TK = torch.randn(_RACE_TOKENS, weight_NK.shape[1])
    half, half_TK = _copy_in_bf16(plain), input_TK.to(torch.bfloat16)
    rounded = Int8Linear(plain)
    best_ms = {
        "fp32": _best_ms(lambda: plain(input_TK)),
        "bf16": _best_ms(lambda: half(half_TK)),
        "int8": _best_ms(lambda: rounded(input_TK)),
    }
    winner: Mode = "fp32"
    for mode in ("bf16", "int8"):
        if best_ms[mode] < _RACE_MARGIN * best_ms[winner]:
            winner = mode
    return winner


def _copy_in_bf16(linear: nn.Linear) -> nn.Linear:
    copy = nn.Linear(linear.in_features, linear.out_features, bias=False, dtype=torch.bfloat16)
    copy.weight.copy_(linear.weight)
    return copy


def _best_ms(run: Callable[[], object]) -> float:
    run()  # the first call allocates and may generate code
    times = []
    for _ in range(_RACE_ROUNDS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times) * 1000


def _replace_linears(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, Int8Linear(child))
        else:
            _replace_linears(child)
