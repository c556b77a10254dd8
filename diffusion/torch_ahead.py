"""torch's native library, mapped into the process while Python does something else.

`import torch` spends a quarter of its time in the dynamic linker, which relocates the largest of
its libraries and, inside an import, keeps every Python thread waiting. Called through ctypes, the
same linker lets them run, and the import finds the library there.

Invariants: torch is not imported; whatever is not as expected here is left to `import torch`, which
says what is wrong; the libraries are opened in the order and with the scope that torch opens them.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_LIBRARIES: Final = (
    # What torch needs of others (OpenMP, a BLAS), which must be visible to all.
    ("libtorch_global_deps.so", "RTLD_GLOBAL"),
    ("libtorch_cpu.so", "RTLD_LOCAL"),
)


def map_torch_ahead() -> threading.Thread | None:
    """Begin to map the library, on a thread of its own; None where there is nothing to do.

    Linux alone: nowhere else has it been measured.
    """
    if sys.platform != "linux" or "torch" in sys.modules:
        return None
    folder = _library_folder()
    if folder is None:
        return None
    thread = threading.Thread(target=_map, args=(folder,), name="diffill-torch", daemon=True)
    thread.start()
    # A process that ends at once would run the library's destructors beside its constructors.
    atexit.register(thread.join)
    return thread


def _library_folder() -> Path | None:
    try:
        spec = find_spec("torch")
    except (ImportError, ValueError):  # ValueError: somebody's stand-in without a spec
        return None
    places = (spec.submodule_search_locations if spec is not None else None) or ()
    return next((Path(place) / "lib" for place in places), None)


def _map(folder: Path) -> None:
    # A function of a CDLL is called without the interpreter's lock; `ctypes.CDLL` itself, like an
    # import, opens a library with it.
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    for name, scope in _LIBRARIES:
        path = folder / name
        if path.is_file():  # a handle that is NULL is left to `import torch`, too
            dlopen(os.fsencode(path), os.RTLD_NOW | getattr(os, scope))
