"""Decides which files are held out for validation, by hash, never file by file.

A unit is a whole package if it is small, else the largest folders of it that are small. A unit is
held out when the hash of its name is below the share; that depends on nothing else, so adding
packages never moves its files. Only where a language would have too little validation text does
it also get the units with the next lowest hashes, none larger than a tenth of the language
(if all are larger, the smallest one).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

SMALL_UNIT_BYTES = 1_500_000
MIN_OF_SHARE = 0.7
MAX_EXTRA_UNIT = 0.1


def unit_hash(unit: str) -> float:
    """A number in [0, 1) that depends on the unit's name alone, which may be no UTF-8."""
    name = f"split:{unit}".encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(name, digest_size=8).digest()
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
    if share <= 0:
        return frozenset()
    chosen = {
        pair for pair, size in sizes.items() if unit_hash(pair[1]) < share and size <= small_bytes
    }
    for language in sorted({pair[0] for pair in sizes}):
        own = sorted(
            (pair for pair in sizes if pair[0] == language),
            key=lambda pair: (unit_hash(pair[1]), pair[1]),
        )
        total = sum(sizes[pair] for pair in own)
        held = sum(sizes[pair] for pair in own if pair in chosen)
        for pair in own:
            if held >= MIN_OF_SHARE * share * total:
                break
            if pair not in chosen and sizes[pair] <= MAX_EXTRA_UNIT * total:
                chosen.add(pair)
                held += sizes[pair]
        if not held and len(own) > 1:
            chosen.add(min(own, key=lambda pair: (sizes[pair], pair[1])))
    return frozenset(chosen)
