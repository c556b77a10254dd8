"""Where a model runs: on the processor, or on a GPU if there is one.

"auto" takes a CUDA device that has room, else the processor. A Mac's GPU ("mps") is taken when it
is asked for only, since nobody has measured whether it is the quicker one for models this small.

On a GPU a model runs in bfloat16 where the device multiplies it, else in float32; the int8 layers
(`model.int8`) are the processor's, so "auto" with int8 is the processor. What a pass says
comes back to the processor, where choosing among a few dozen rows of logits takes no longer than
the kernels would take to launch.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Literal, get_args

import torch

from diffusion.errors import ConfigError
from diffusion.model.quantize import GPU_MODES, GpuMode

logger = logging.getLogger(__name__)
Place = Literal["auto", "cpu", "cuda", "mps"]
PLACES: tuple[Place, ...] = get_args(Place)
CPU = torch.device("cpu")

_VARIABLE = "DIFFILL_DEVICE"
_CHOSEN_BY = f"the device (--device, diffill.performance.device, ${_VARIABLE})"
_ROOM_BYTES = 1_000_000_000
"""Free memory that "auto" wants of a GPU: the bundled model, its contexts, and CUDA itself."""


def device_for(asked: Place | str, precision: str = "auto") -> torch.device:
    """The device that `asked` stands for; $DIFFILL_DEVICE says what "auto" is, if it is set.

    Raises ConfigError for one that is not there.
    """
    if asked == "auto":
        asked = os.environ.get(_VARIABLE) or "auto"
    if asked == "auto":
        return torch.device("cuda") if precision != "int8" and gpu_serves() else CPU
    if asked == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "this torch sees no CUDA device",
            fix=f"install the CUDA build of torch and a driver, or let {_CHOSEN_BY} be cpu",
        )
    if asked == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(
            "this torch sees no GPU of a Mac",
            fix=f"let {_CHOSEN_BY} be cpu",
        )
    if asked not in PLACES:
        raise ConfigError(
            f"no device is called {asked!r}", fix=f"choose one of {', '.join(PLACES)}"
        )
    return torch.device(asked)


def settle(device: torch.device) -> None:
    """Prepare this process for passes on `device`.

    cuDNN's attention makes a plan for every shape that it has not seen, which takes longer than a
    whole answer, and hardly two passes here have one shape. torch's own kernels need none.
    """
    if device.type == "cuda":
        torch.backends.cuda.enable_cudnn_sdp(False)


def mode_on(device: torch.device, asked: GpuMode | str) -> GpuMode:
    """The precision on a GPU. Raises ConfigError for one that it has not."""
    if asked == "auto":
        return "bf16" if device.type == "cuda" and _multiplies_bf16() else "fp32"
    for mode in GPU_MODES:
        if asked == mode:
            return mode
    raise ConfigError(
        f"there is no {asked} on {device.type}", fix="ask for auto, bf16 or fp32, or for the cpu"
    )


@cache
def gpu_serves() -> bool:
    """Whether there is a CUDA device that has room and multiplies.

    Tried once in a process: later our own memory would count against it. A build of torch may see
    a card that it has no kernels for, and a card may be in a state where nothing works.
    """
    if not torch.cuda.is_available():
        return False
    try:
        free_bytes, _ = torch.cuda.mem_get_info()
        if free_bytes < _ROOM_BYTES:
            logger.info("the GPU has %d MB free, too little for a model", free_bytes // 10**6)
            return False
        one_11 = torch.ones(1, 1, device="cuda")
        (one_11 @ one_11).cpu()
    except RuntimeError as error:
        logger.warning("the GPU is left alone, as it cannot be used: %s", error)
        return False
    return True


def _multiplies_bf16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))
