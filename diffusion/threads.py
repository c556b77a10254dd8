"""What torch is told before it is loaded: how many threads, how they wait, what oneDNN keeps.

On a machine with other work, every parallel operation waits for the thread that was not
scheduled, and the others spin meanwhile: on two busy cores one infill took 6.7 s with two
threads and 0.6 s with one (docs/decisions/0007). So the model has as many threads as the rest of
the machine leaves cores, and they spin briefly.

oneDNN, which multiplies for torch, keeps the code that it made for each shape of matrices, 1024 of
them by default. A canvas has another shape in almost every step, so that was 240 MB after a hundred
requests; with 48 kept, the steps take as long (docs/lab-notebook.md).

Invariants: what the user's environment says is not changed; no torch is imported here, and
`settle` must be called before anything else imports it.
"""

from __future__ import annotations

import os

from diffusion.spare_cores import SpareCores, cores

# libgomp, which torch's Linux builds use, reads these when it is loaded.
_COUNT = "OMP_NUM_THREADS"
_SPIN = "GOMP_SPINCOUNT"
_SPINS = "1000"
_SHAPES = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
_SHAPES_KEPT = "48"


def settle(wanted: int | None = None) -> int | None:
    """Sets what the threads share, and says how many: `wanted`, else one less than the cores.

    None where the environment says how many.
    """
    os.environ.setdefault(_SPIN, _SPINS)
    os.environ.setdefault(_SHAPES, _SHAPES_KEPT)
    if wanted is not None:
        return wanted
    if os.environ.get(_COUNT):
        return None
    return max(cores() - 1, 1)


def follow(wanted: int | None = None) -> int | SpareCores | None:
    """What the model is loaded with: `wanted`, else what follows the load of the machine.

    None where the environment says how many.
    """
    settled = settle(wanted)
    return SpareCores() if wanted is None and settled is not None else settled
