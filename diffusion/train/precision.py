"""Whether a device computes in bfloat16 or only pretends to.

A processor without bfloat16 arithmetic (AVX2 alone) emulates it a hundred times slower than
float32, so the precision of training is measured, as that of serving is (`model.quantize`).
"""

from __future__ import annotations

from functools import cache

import torch

from diffusion.errors import ConfigError
from diffusion.model.int8 import best_ms

AUTO = "auto"
PRECISIONS = ("bf16", "no")
"""What accelerate calls bfloat16 autocast, and float32 throughout."""
_SIDE = 256
_ROUNDS = 5


@cache
def half_is_fast(device_type: str = "cpu") -> bool:
    """Whether products in bfloat16 beat those in float32. Measured once in a process, ~40 ms."""
    if device_type != "cpu":
        return True
    plain = torch.randn(_SIDE, _SIDE)
    half = plain.to(torch.bfloat16)
    return best_ms(lambda: half @ half, _ROUNDS) < best_ms(lambda: plain @ plain, _ROUNDS)


def precision(asked: str, device_type: str) -> str:
    """"bf16" or "no" for one of these or "auto". Raises ConfigError for anything else."""
    if asked == AUTO:
        return "bf16" if half_is_fast(device_type) else "no"
    if asked not in PRECISIONS:
        raise ConfigError(f"--precision {asked!r}: choose one of {AUTO}, {', '.join(PRECISIONS)}")
    return asked
