"""Chooses, over all packages at once, which files become the corpus and into which shard they go.

Order of the decisions: exact duplicates, contamination, near duplicates, shares, split. The first
file of a family stays, in the order of the recipe, then of the path. The plan is a pure function
of the surveys, the recipe and the shard size; its digest names it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from diffusion.data.decontaminate import contaminated
from diffusion.data.filters import LANGUAGES
from diffusion.data.fingerprints import PERMUTATIONS
from diffusion.data.near_duplicates import near_duplicates
from diffusion.data.recipe import Recipe
from diffusion.data.scan import Survey
from diffusion.data.selection import select
from diffusion.data.split import choose_validation, units_of

SHARD_BYTES = 12_000_000


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """One shard to write: its name and its files as (package, path), in order."""

    name: str
    split: str
    language: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Shards in the order of writing, and for every package why files were left out."""

    shards: tuple[ShardPlan, ...]
    dropped: dict[str, dict[str, int]]

    @property
    def digest(self) -> str:
        """SHA-256 over shard names and files."""
        state = hashlib.sha256()
        for shard in self.shards:
            state.update(json.dumps([shard.name, shard.files]).encode())
        return state.hexdigest()


def _place(package: str, path: str) -> bytes:
    name = f"place:{package}/{path}".encode("utf-8", "surrogateescape")
    return hashlib.blake2b(name, digest_size=8).digest()


def cut_shards(
    split: str, language: str, files: list[tuple[str, str, int]], shard_bytes: int
) -> list[ShardPlan]:
    """Shards of about `shard_bytes`, of files (package, path, size in bytes) in hash order."""
    ordered = sorted(files, key=lambda f: (_place(f[0], f[1]), f))
    shards: list[list[tuple[str, str]]] = [[]]
    filled = 0
    for package, path, size in ordered:
        if filled >= shard_bytes:
            shards.append([])
            filled = 0
        shards[-1].append((package, path))
        filled += size
    return [
        ShardPlan(f"{split}-{language}-{number:03d}", split, language, tuple(members))
        for number, members in enumerate(shards)
        if members
    ]


@dataclass(frozen=True, slots=True)
class _File:
    """One surveyed file: number of its survey, its row there, and what the survey says."""

    survey: int
    row: int
    package: str
    path: str
    language: str
    size_bytes: int


class _Drops:
    """Counts of files left out, by package and reason."""

    def __init__(self, surveys: Sequence[Survey]) -> None:
        self._counts = {s.source: Counter(s.dropped) for s in surveys}

    def sift(self, files: Sequence[_File], drop: Sequence[bool], reason: str) -> list[_File]:
        """The files not dropped; the others are counted under `reason`."""
        kept = []
        for file, out in zip(files, drop, strict=True):
            if out:
                self._counts[file.package][reason] += 1
            else:
                kept.append(file)
        return kept

    def table(self) -> dict[str, dict[str, int]]:
        """Package -> reason -> files, both sorted."""
        return {name: dict(sorted(c.items())) for name, c in sorted(self._counts.items())}


def _seen_before(digests: Iterable[bytes]) -> list[bool]:
    seen: set[bytes] = set()
    out = []
    for digest in digests:
        out.append(digest in seen)
        seen.add(digest)
    return out


def _held_out(files: Sequence[_File], share: float) -> list[bool]:
    """For every file whether it belongs to validation."""
    by_package: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        by_package[file.package].append(file)
    units: dict[tuple[str, str], str] = {}
    sizes: Counter[tuple[str, str]] = Counter()
    for package, members in by_package.items():
        names = units_of(package, [(f.path, f.size_bytes) for f in members])
        for file, unit in zip(members, names, strict=True):
            units[package, file.path] = unit
            sizes[file.language, unit] += file.size_bytes
    chosen = choose_validation(sizes, share)
    return [(f.language, units[f.package, f.path]) in chosen for f in files]


def make_plan(
    surveys: Sequence[Survey],
    recipe: Recipe,
    *,
    shard_bytes: int = SHARD_BYTES,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Plan:
    """Decide about every surveyed file."""
    drops = _Drops(surveys)
    files = [
        _File(n, row, s.source, path, LANGUAGES[s.languages[row]], int(s.sizes_bytes[row]))
        for n, s in enumerate(surveys)
        for row, path in enumerate(s.paths)
    ]
    copies = _seen_before(surveys[f.survey].exact[f.row] for f in files)
    files = drops.sift(files, copies, "exact_duplicate")

    overlaps = [surveys[f.survey].overlaps[f.row] for f in files]
    leaks = contaminated(overlaps, [f.survey for f in files])
    files = drops.sift(files, leaks.tolist(), "contaminated")

    signatures = np.empty((len(files), PERMUTATIONS), np.uint32)
    for i, file in enumerate(files):
        signatures[i] = surveys[file.survey].signatures[file.row]

    def report(done: int) -> None:
        if on_progress is not None:
            on_progress("near duplicates", done, len(files))

    near = near_duplicates(signatures, on_progress=report)
    files = drops.sift(files, near.tolist(), "near_duplicate")

    described = [(f.package, f.path, f.language, f.size_bytes) for f in files]
    chosen = select(described, recipe.language_shares, recipe.package_share)
    files = drops.sift(files, [not c for c in chosen], "over_share")

    groups: dict[tuple[str, str], list[tuple[str, str, int]]] = defaultdict(list)
    for file, held in zip(files, _held_out(files, recipe.validation_share), strict=True):
        split = "validation" if held else "train"
        groups[split, file.language].append((file.package, file.path, file.size_bytes))
    ordered = []
    for (split, language), members in sorted(groups.items()):
        cut = cut_shards(split, language, members, shard_bytes)
        for number, shard in enumerate(cut):
            place = -1.0 if split == "validation" else (number + 0.5) / len(cut)
            ordered.append((place, shard.name, shard))
    ordered.sort(key=lambda entry: entry[:2])
    return Plan(tuple(shard for _, _, shard in ordered), drops.table())
