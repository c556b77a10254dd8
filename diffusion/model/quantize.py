"""Makes a loaded model fast: int8, bfloat16 or float32 weights behind one function for a CPU.

The int8 layers are `model.int8`'s.

Invariants: embeddings, norms and attention keep their precision; a tied embedding keeps its own
weights, only the vocabulary head's copy is rounded. A quantised model is for inference: it is
never saved and never trained.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import nn

from diffusion.errors import ConfigError
from diffusion.model.int8 import Int8Layer, best_ms, int8_linear

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Mode = Literal["fp32", "bf16", "int8"]
MODES: tuple[Mode, ...] = get_args(Mode)
GpuMode = Literal["fp32", "bf16"]
GPU_MODES: tuple[GpuMode, ...] = get_args(GpuMode)

_RACE_TOKENS = 64  # four canvases of sixteen
_RACE_ROUNDS = 4
_RACE_ATTENTION = (8, 16, 480, 64)  # heads, slots, context, width
_HALF_IS_SLOW = 1.5  # as many times slower, so that no close race decides how answers are rounded
_RACE_MARGIN = 0.85  # a coarser mode must win by this much


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


def for_gpu(model: PreTrainedModel, mode: GpuMode, device: torch.device) -> PreTrainedModel:
    """Moves `model` to a GPU, in place, its weights in the precision of `mode`, and returns it.

    Buffers stay as they are: half precision would blur rotary frequencies.
    """
    model.eval()
    nn.Module.to(model, device)
    for weight in model.parameters():
        weight.data = weight.data.to(torch.bfloat16 if mode == "bf16" else torch.float32)
    return model


def is_quantized(model: nn.Module) -> bool:
    """Whether `for_cpu` has rounded this model's layers to int8."""
    return any(isinstance(module, Int8Layer) for module in model.modules())


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
    rounded = int8_linear(plain)
    took_ms = {
        "fp32": best_ms(lambda: plain(input_TK), _RACE_ROUNDS),
        "int8": best_ms(lambda: rounded(input_TK), _RACE_ROUNDS),
    }
    beaten_ms = min(took_ms.values())
    took_ms["bf16"] = best_ms(lambda: half(half_TK), _RACE_ROUNDS, beaten_ms=beaten_ms)
    winner: Mode = "fp32"
    for mode in ("bf16", "int8"):
        if took_ms[mode] < _RACE_MARGIN * took_ms[winner]:
            winner = mode
    return winner


def _copy_in_bf16(linear: nn.Linear) -> nn.Linear:
    copy = nn.Linear(linear.in_features, linear.out_features, bias=False, dtype=torch.bfloat16)
    copy.weight.copy_(linear.weight)
    return copy


@cache
@torch.inference_mode()
def fastest_attention_dtype() -> torch.dtype:
    """bfloat16 for attention, or float32 where that is clearly faster; once in a process, ~5 ms.

    Half the numbers to keep and to read, but a processor without such products converts each.
    """
    heads, slots, context, width = _RACE_ATTENTION

    def took_ms(dtype: torch.dtype) -> float:
        query_1HTD = torch.randn(1, heads, slots, width, dtype=dtype)
        keys_1HDC = torch.randn(1, heads, context, width, dtype=dtype).transpose(2, 3)
        return best_ms(lambda: query_1HTD @ keys_1HDC, _RACE_ROUNDS)

    slow = took_ms(torch.bfloat16) > _HALF_IS_SLOW * took_ms(torch.float32)
    return torch.float32 if slow else torch.bfloat16


def _replace_linears(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, int8_linear(child))
        else:
            _replace_linears(child)
