"""Where a model runs: on the processor, or on a GPU if there is one.

"auto" takes a CUDA device that has room, else the processor. A Mac's GPU ("mps") is taken when it
is asked for only, since nobody has measured whether it is the quicker one for models this small.

On a GPU a model runs in bfloat16 where the device multiplies it, else in float32; the int8 layers
(`model.int8`) are the processor's. What a pass says comes back to the processor, where choosing
among a few dozen rows of logits takes no longer than the kernels would take to launch.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from diffusion.errors import ConfigError
from diffusion.model.quantize import GPU_MODES, GpuMode

Place = Literal["auto", "cpu", "cuda", "mps"]
PLACES: tuple[Place, ...] = get_args(Place)
CPU = torch.device("cpu")

_ROOM_BYTES = 1_000_000_000
"""Free memory that "auto" wants of a GPU: the bundled model, its contexts, and CUDA itself."""


def device_for(asked: Place | str) -> torch.device:
    """The device that `asked` stands for. Raises ConfigError for one that is not there."""
    if asked == "auto":
        return torch.device("cuda") if _has_room() else CPU
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "this torch sees no CUDA device",
            fix="install the CUDA build of torch and a driver, or ask for auto or cpu",
        )
    if asked == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("this torch sees no GPU of a Mac", fix="ask for auto or cpu")
    if asked not in PLACES:
        raise ConfigError(
            f"no device is called {asked!r}", fix=f"choose one of {', '.join(PLACES)}"
        )
    return torch.device(asked)


def mode_on(device: torch.device, asked: GpuMode | str) -> GpuMode:
    """The precision on a GPU. Raises ConfigError for one that it has not."""
    if asked == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
    for mode in GPU_MODES:
        if asked == mode:
            return mode
    raise ConfigError(
        f"there is no {asked} on {device.type}", fix="ask for auto, bf16 or fp32, or for the cpu"
    )


def _has_room() -> bool:
    return torch.cuda.is_available() and torch.cuda.mem_get_info()[0] >= _ROOM_BYTES
