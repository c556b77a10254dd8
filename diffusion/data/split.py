"""Decides which files are held out for validation, by hash, never file by file.

A unit is a whole package if it is small, else the largest folders of it that are small. A unit's
side depends on its own name only, so adding packages never moves a file from one side to the
other. Only a language that would be left without validation text gets one more unit: the one
with the lowest hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

SMALL_UNIT_BYTES = 1_500_000


def unit_hash(unit: str) -> float:
    """A number in [0, 1) that depends on the unit's name alone."""
    digest = hashlib.blake2b(f"split:{unit}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def units_of(
    source: str, files: Sequence[tuple[str, int]], small_bytes: int = SMALL_UNIT_BYTES
) -> list[str]:
    """The unit of every (path, size in bytes) of one package, in the given order."""
    units = [""] * len(files)

    def divide(members: list[int], depth: int, name: str) -> None:
        total = sum(files[i][1] for i in members)
        if total <= small_bytes:
            for i in members:
                units[i] = name
            return
        groups: dict[str, list[int]] = {}
        for i in members:
            parts = files[i][0].split("/")
            if depth >= len(parts) - 1:
                units[i] = f"{name}/."
            else:
                groups.setdefault(parts[depth], []).append(i)
        for part, group in groups.items():
            divide(group, depth + 1, f"{name}/{part}")

    divide(list(range(len(files))), 0, source)
    return units


def choose_validation(
    sizes: Mapping[tuple[str, str], int], share: float, small_bytes: int = SMALL_UNIT_BYTES
) -> frozenset[tuple[str, str]]:
    """The held-out (language, unit) pairs, given the bytes of each and the share to hold out."""
    chosen = {
        pair for pair, size in sizes.items() if unit_hash(pair[1]) < share and size <= small_bytes
    }
    for language in sorted({pair[0] for pair in sizes}):
        if any(pair[0] == language for pair in chosen):
            continue
        candidates = [pair for pair in sizes if pair[0] == language]
        total = sum(sizes[pair] for pair in candidates)
        small = [pair for pair in candidates if sizes[pair] <= total / 10] or candidates
        if len(candidates) > 1:
            chosen.add(min(small, key=lambda pair: (unit_hash(pair[1]), pair[1])))
    return frozenset(chosen)
