"""Finds files that are near copies of an earlier file, over the whole corpus.

The first file of a family, in the order given, stays. Candidates come from datasketch's
locality-sensitive hashing (10 bands of 6) and are confirmed on the full signature.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from datasketch import LeanMinHash, MinHashLSH

from diffusion.data.fingerprints import PERMUTATIONS

BANDS = (10, 6)
THRESHOLD = 0.8
_EMPTY = np.uint32(0xFFFFFFFF)


def near_duplicates(
    signatures: npt.NDArray[np.uint32],
    *,
    threshold: float = THRESHOLD,
    on_progress: Callable[[int], None] | None = None,
) -> npt.NDArray[np.bool_]:
    """For signatures [F, 64]: True where a file resembles an earlier, kept one. Shape [F]."""
    index = MinHashLSH(num_perm=PERMUTATIONS, params=BANDS)
    copied = np.zeros(len(signatures), np.bool_)
    for i, values in enumerate(signatures):
        if values[0] == _EMPTY and bool((values == _EMPTY).all()):
            continue
        lean = LeanMinHash(seed=1, hashvalues=values.astype(np.uint64), scheme="legacy")
        near = index.query(lean)
        if near and float(np.mean(signatures[near] == values, axis=1).max()) >= threshold:
            copied[i] = True
        else:
            index.insert(i, lean, check_duplication=False)
        if on_progress is not None and i % 1000 == 0:
            on_progress(i)
    return copied
