"""The tensors of an adapter's file, looked through without torch, before anything relies on them.

Invariant: a file that passes holds floating-point numbers only, none of them NaN or infinity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from diffusion.errors import AdapterError

# NaN and infinity are those numbers whose exponent has all its bits set.
_EXPONENTS: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {
    "F64": (np.uint64, 0x7FF0_0000_0000_0000),
    "F32": (np.uint32, 0x7F80_0000),
    "F16": (np.uint16, 0x7C00),
    "BF16": (np.uint16, 0x7F80),
}
_TRAIN_AGAIN = "delete it and run `diffill train` again"


def check_weights(data: bytes, where: str) -> None:
    """Look at every number of a weights file; `where` opens the messages. Raises AdapterError."""
    try:
        tensors = deserialize(data)
    except SafetensorError as error:
        raise AdapterError(f"{where} is damaged ({error})", fix=_TRAIN_AGAIN) from error
    for name, tensor in tensors:
        kind = tensor["dtype"]
        if kind not in _EXPONENTS:
            raise AdapterError(f"{where}: {name!r} is of type {kind}", fix=_TRAIN_AGAIN)
        unsigned, exponent = _EXPONENTS[kind]
        bits = np.frombuffer(tensor["data"], unsigned) & unsigned(exponent)
        if (bits == exponent).any():
            raise AdapterError(f"{where}: {name!r} holds NaN or infinity", fix=_TRAIN_AGAIN)
