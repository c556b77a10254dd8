"""How long the text of a hole is likely to be, by language and kind of hole.

Job: canvas sizes to try (`sizes`) and a prior for ranking candidates of different lengths
(`prior`), both read from one table of token counts that `learn` makes from `measure`.

Invariants: lengths are counts of tokens. Every (language, kind), also an unknown one, has an
answer: a cell is smoothed by its kind over all languages, which is smoothed by a built-in
default, so an empty table works. The table is plain JSON with a version.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import log
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from diffusion.errors import TextError
from diffusion.text.hole import KINDS
from diffusion.text.hole_sampling import HoleMix, sample_holes
from diffusion.text.json_file import read_object
from diffusion.text.span import classify
from diffusion.text.syntax import SyntaxTree

VERSION: Final = 1
SLOT_COUNTS: Final = (2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128)
QUANTILES: Final = (0.15, 0.4, 0.65, 0.88)
"""One at 0.97 never won and took a third of the time; without one at 0.15, short lines had no
canvas that they could be right on (docs/lab-notebook.md)."""
# Lengths of one bin are equally likely. Bin i holds lengths _EDGES[i] .. _EDGES[i + 1] - 1.
_EDGES: Final[tuple[int, ...]] = (
    *(*range(17), 18, 20, 22, 24, 28, 32, 40),
    *(48, 56, 64, 80, 96, 128, 257),
)
_BINS: Final = len(_EDGES) - 1
# Weights of the built-in default by the first length of a bin: log-uniform with a falling tail.
_DEFAULT: Final = tuple(
    0.001 if low == 0 else (high - low) / (low + 3) / (1 + (low / 25) ** 2)
    for low, high in pairwise(_EDGES)
)
# So many imagined samples of the wider table stand behind each cell.
_PRIOR_WEIGHT: Final = 30.0
_HEALED_TOKENS: Final = 1
_ANY: Final = "*"

Sample = tuple[str, str, int]


class Encodes(Protocol):
    """The part of the tokenizer that counting needs."""

    def encode(self, data: bytes) -> list[int]: ...


class LengthTable:
    """Token counts of holes, binned, by language and kind. Immutable."""

    __slots__ = ("_counts", "_shares")

    _counts: Mapping[tuple[str, str], tuple[int, ...]]
    _shares: dict[tuple[str, str], tuple[float, ...]]

    def __init__(self, counts: Mapping[tuple[str, str], tuple[int, ...]] | None = None) -> None:
        """`counts[language, kind]` holds one count per bin; language "*" means all of them."""
        self._counts = MappingProxyType(dict(counts or {}))
        self._shares = {}

    @classmethod
    def learn(cls, samples: Iterable[Sample]) -> LengthTable:
        """Count samples of (language, kind, tokens). Raises TextError for a negative count."""
        counts: dict[tuple[str, str], list[int]] = {}
        for language, kind, tokens in samples:
            if tokens < 0:
                raise TextError(
                    f"a {kind} of {tokens} tokens cannot be counted", fix="pass counts >= 0"
                )
            for key in ((language, kind), (_ANY, kind), (_ANY, _ANY)):
                counts.setdefault(key, [0] * _BINS)[_bin(tokens)] += 1
        return cls({key: tuple(row) for key, row in counts.items()})

    def sizes(
        self,
        language: str,
        kind: str,
        *,
        max_slots: int = SLOT_COUNTS[-1],
        quantiles: Sequence[float] = QUANTILES,
    ) -> tuple[int, ...]:
        """Increasing canvas sizes in slots: at most one for each of the `quantiles`.

        They cover these shares of the lengths, and one token more, which healing may add. There
        are three at least where so many are asked for, unless `max_slots` leaves no more.
        """
        if max_slots < 1:
            raise TextError(f"a canvas of {max_slots} slots holds nothing", fix="allow at least 1")
        ladder = [size for size in SLOT_COUNTS if size <= max_slots] or [max_slots]
        found: set[int] = set()
        for quantile in quantiles:
            slots = self.quantile(language, kind, quantile) + _HEALED_TOKENS
            found.add(min(bisect_left(ladder, slots), len(ladder) - 1))
        # A narrow table gives fewer than three: take the next larger, or smaller, or one between.
        while len(found) < min(3, len(ladder), len(quantiles)):
            missing = set(range(len(ladder))) - found
            near = (max(found) + 1, min(found) - 1)
            found.add(next((index for index in near if index in missing), min(missing)))
        return tuple(ladder[index] for index in sorted(found))

    def quantile(self, language: str, kind: str, share: float) -> int:
        """The shortest length in tokens that at least `share` of such holes do not exceed."""
        cumulated = list(accumulate(self._distribution(language, kind)))
        index = min(bisect_left(cumulated, share * cumulated[-1]), _BINS - 1)
        low, high = _EDGES[index], _EDGES[index + 1]
        before = cumulated[index - 1] if index else 0.0
        part = (share * cumulated[-1] - before) / max(cumulated[index] - before, 1e-12)
        return low + max(0, min(high - low - 1, int(part * (high - low))))

    def prior(self, language: str, kind: str, length: int) -> float:
        """Log-probability (nats) that such a hole is `length` tokens long. Never -inf."""
        index = _bin(length)
        width = _EDGES[index + 1] - _EDGES[index]
        return log(self._distribution(language, kind)[index] / width)

    def _distribution(self, language: str, kind: str) -> tuple[float, ...]:
        """Shares of the bins, smoothed towards the kind and then towards the default."""
        key = (language, kind)
        shares = self._shares.get(key)
        if shares is None:
            if key == (_ANY, _ANY):
                total = sum(_DEFAULT)
                wider = tuple(weight / total for weight in _DEFAULT)
            else:
                wider = self._distribution(_ANY, _ANY if language == _ANY else kind)
            row = self._counts.get(key, (0,) * _BINS)
            whole = sum(row) + _PRIOR_WEIGHT
            shares = tuple(
                (count + _PRIOR_WEIGHT * share) / whole
                for count, share in zip(row, wider, strict=True)
            )
            self._shares[key] = shares
        return shares

    def save(self, path: str | Path) -> None:
        """Write the table as JSON."""
        cells: dict[str, dict[str, list[int]]] = {}
        for (language, kind), row in sorted(self._counts.items()):
            cells.setdefault(language, {})[kind] = list(row)
        document = {"version": VERSION, "edges": list(_EDGES), "counts": cells}
        Path(path).write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> LengthTable:
        """Read a table. Raises TextError if the file is missing, damaged, or of another version."""
        fix = "reinstall diffill, or learn the table again"
        try:
            document = read_object(Path(path))
        except OSError as error:
            raise TextError(
                f"length table {path} cannot be read ({error.strerror})", fix=fix
            ) from error
        except ValueError as error:
            raise TextError(f"length table {path} is not JSON ({error})", fix=fix) from error
        if (found := document.get("version")) != VERSION:
            raise TextError(
                f"length table {path} has version {found!r}, this diffill reads {VERSION}", fix=fix
            )
        if document.get("edges") != list(_EDGES) or not isinstance(document.get("counts"), dict):
            raise TextError(f"length table {path} has other bins than this diffill", fix=fix)
        counts = {}
        for language, row_of_kind in document["counts"].items():
            if not isinstance(row_of_kind, dict):
                raise TextError(f"length table {path}: {language} is no table of kinds", fix=fix)
            for kind, row in row_of_kind.items():
                if kind not in KINDS and kind != _ANY:
                    raise TextError(f"length table {path} names unknown kind {kind!r}", fix=fix)
                if not _is_row(row):
                    raise TextError(
                        f"length table {path}: counts of {language}/{kind} are not "
                        f"{_BINS} whole numbers >= 0",
                        fix=fix,
                    )
                counts[language, kind] = tuple(row)
        return cls(counts)


def _bin(tokens: int) -> int:
    return min(max(bisect_right(_EDGES, tokens) - 1, 0), _BINS - 1)


def _is_row(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == _BINS
        and all(isinstance(count, int) and count >= 0 for count in row)
    )


def measure(
    documents: Iterable[tuple[str, bytes, tuple[int, int]]],
    tokenizer: Encodes,
    rng: random.Random,
    *,
    mix: HoleMix | None = None,
    window_bytes: int = 2048,
    windows_per_document: int = 2,
) -> Iterator[Sample]:
    """Samples for `LengthTable.learn`, seen as serving sees them.

    From the given part of each (language, document, part) holes are drawn, each is cut out alone,
    the whole document that is left is parsed, and the place of the cut is classified.
    """
    chosen = mix or HoleMix()
    for language, data, (first, last) in documents:
        tree = SyntaxTree.parse(data, language)
        for _ in range(windows_per_document):
            start = rng.randrange(first, max(first + 1, last - window_bytes + 1))
            start = max(first, data.rfind(b"\n", 0, start) + 1)
            window = (start, min(last, start + window_bytes))
            wanted = int((window[1] - window[0]) * 0.35)
            for hole in sample_holes(tree, data, window, rng, chosen, wanted):
                cut = data[: hole.start] + data[hole.end :]
                left = tree.edit(hole.start, hole.end, hole.start, cut)
                kind = classify(left, cut, hole.start)
                yield language, kind, len(tokenizer.encode(data[hole.start : hole.end]))
