"""Decides how much of each package enters the corpus, so that no package or language dominates.

The language with the largest share sets the size: everything it has is used, and the others get
at most their share of that total. Inside a language the largest packages are trimmed first, all
to one common limit. Which files a trimmed package keeps is decided by a hash of their paths.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence


def common_limit(sizes: Sequence[int], budget: float) -> float:
    """The limit L for which the sum of min(size, L) is the budget; infinite if all fits."""
    if sum(sizes) <= budget:
        return float("inf")
    left = budget
    ordered = sorted(sizes)
    for i, size in enumerate(ordered):
        share = left / (len(ordered) - i)
        if size > share:
            return share
        left -= size
    return float("inf")


def budgets(available: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, float]:
    """Bytes each language may use. A language without a share is not limited."""
    limited = {k: v for k, v in shares.items() if available.get(k)}
    if not limited:
        return {language: float("inf") for language in available}
    anchor = max(limited, key=lambda language: (limited[language], language))
    total = available[anchor] / limited[anchor]
    return {
        language: limited[language] * total if language in limited else float("inf")
        for language in available
    }


def select(
    files: Sequence[tuple[str, str, str, int]],
    shares: Mapping[str, float],
    package_share: float,
) -> list[bool]:
    """For files (package, path, language, size in bytes): which to use, in the same order."""
    by_package: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for package, _, language, size in files:
        by_package[language][package] += size
    available = {language: sum(sizes.values()) for language, sizes in by_package.items()}
    budget = budgets(available, shares)
    whole = sum(min(available[language], budget[language]) for language in available)
    limits = {}
    for language, sizes in by_package.items():
        limit = common_limit(list(sizes.values()), budget[language])
        limits[language] = min(limit, package_share * whole)

    def place(i: int) -> bytes:
        name = f"{files[i][0]}/{files[i][1]}".encode("utf-8", "surrogateescape")
        return hashlib.blake2b(name, digest_size=8).digest()

    order = sorted(range(len(files)), key=place)
    used: dict[tuple[str, str], int] = defaultdict(int)
    keep = [False] * len(files)
    for i in order:
        package, _, language, size = files[i]
        if used[language, package] + size <= limits[language]:
            used[language, package] += size
            keep[i] = True
    return keep
