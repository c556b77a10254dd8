"""The lines of many files, indexed for the places that look like a hole.

Job: hold the text of a repository's files so that the few lines of it which `text.quotes` may want
are found within milliseconds; what comes out are excerpts, which are read there like other
documents. So the rules by which a text is chosen, moved and renamed are written once.

- Blank before the cursor: all lines are compared with the two above the hole and the one below it
  (normalised InDel similarity, by rapidfuzz's matrix kernel).
- Text before the cursor: lines in which the longest end of what is typed occurs.

Invariants: what is returned depends on two lines above, one below and what is typed, not on more;
an excerpt holds whole lines of one file; the order is that of likeness, then that of the files, of
which the nearest are to be given first; bytes of any kind are welcome. An index does not change;
`without` makes a view of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import Indel

from diffusion.text.quotes import AFTER_WEIGHT, SECOND_ABOVE_WEIGHT, whole_lines

MOST_BYTES: Final = 2_000_000
"""Of all files together; the rest is left out, the last files first."""
LONGEST_LINE: Final = 200
MOST_PLACES: Final = 40
_LEAST_LIKENESS: Final = 0.5
_LINES_BELOW: Final = 7
_MOST_ABOVE: Final = 4_000
_MOST_TYPED: Final = 80
_FEWEST_TYPED: Final = 2
_MOST_HELD: Final = 400
_SHORTER: Final = 0.75

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LineIndex:
    """Lines that are not blank, of all files in order; `N` of them, `U` different ones.

    `numbers`: of the files, by name. `text`: the lines, each with its line end. `starts_N`: where
    each begins. `words_N`: which of `unique` it is without its indentation. `file_N`: the number of
    its file. `hidden`: numbers of files that are not looked at.
    """

    numbers: Mapping[str, int]
    text: bytes
    unique: tuple[bytes, ...]
    starts_N: Ints
    words_N: Ints
    file_N: Ints
    hidden: frozenset[int] = frozenset()

    @classmethod
    def of(cls, files: Sequence[tuple[str, bytes]], most_bytes: int = MOST_BYTES) -> LineIndex:
        """An index of named files, the nearest first."""
        known: dict[bytes, int] = {}
        names: list[str] = []
        lines: list[bytes] = []
        words: list[int] = []
        file: list[int] = []
        size = 0
        for name, data in dict(files).items():
            size += len(data)
            if size > most_bytes and names:
                break
            for whole in whole_lines(data, 0, most_bytes).splitlines():
                line = whole.rstrip()[:LONGEST_LINE]  # as long as that only if it may be cut
                stripped = line.strip()
                if stripped:
                    lines.append(line + b"\n")
                    words.append(known.setdefault(stripped, len(known)))
                    file.append(len(names))
            names.append(name)
        lengths = np.fromiter(map(len, lines), np.int32, len(lines))
        starts_N = np.zeros(len(lines), np.int32)
        np.cumsum(lengths[:-1], out=starts_N[1:])
        return cls(
            {name: n for n, name in enumerate(names)}, b"".join(lines), tuple(known), starts_N,
            np.array(words, np.int32), np.array(file, np.int32),
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The files, in order."""
        return tuple(self.numbers)

    @property
    def files(self) -> int:
        """How many files are looked at."""
        return len(self.numbers) - len(self.hidden)

    @property
    def lines(self) -> int:
        """How many lines are looked at."""
        return len(self) - int(np.isin(self.file_N, list(self.hidden)).sum())

    def __len__(self) -> int:
        return len(self.starts_N)

    def without(self, names: Collection[str]) -> LineIndex:
        """The same lines but for those of some files."""
        return replace(self, hidden=frozenset(self.numbers[n] for n in names if n in self.numbers))

    def excerpts(self, data: bytes, start: int, end: int) -> tuple[bytes, ...]:
        """What stands where it looks like the hole `[start, end)` of `data`, likeliest first."""
        if not len(self):
            return ()
        line_start = data.rfind(b"\n", 0, start) + 1
        typed = data[line_start:start].lstrip()
        above, below = _last_two(data[:line_start]), data[end:]
        if typed:
            likeness_N = self._likeness(*above, _first(below.partition(b"\n")[2]))
            places = self._continuations(typed[-_MOST_TYPED:], likeness_N)
            return self._around(places, 1, 2)
        likeness_N = self._likeness(*above, _first(below))
        likeness_N[self._without_line_above_N] = 0.0
        return self._around(_largest(likeness_N), 2, _LINES_BELOW)

    @property
    def _without_line_above_N(self) -> Bools:
        """Which lines are the first of their files."""
        first_N = np.ones(len(self), bool)
        first_N[1:] = self.file_N[1:] != self.file_N[:-1]
        return first_N

    def _likeness(self, second: bytes, before: bytes, after: bytes) -> Floats:
        """How far each line has `second` and `before` above it and `after` below; 0 if hidden."""
        like_3U = process.cdist(
            [second, before, after], self.unique, scorer=Indel.normalized_similarity,
            score_cutoff=_LEAST_LIKENESS, dtype=np.float32,
        )  # fmt: skip
        likeness_N = np.zeros(len(self), np.float32)
        sides = ((second, -2, SECOND_ABOVE_WEIGHT), (before, -1, 1.0), (after, 1, AFTER_WEIGHT))
        for like_U, (line, step, weight) in zip(like_3U, sides, strict=True):
            if not line:
                continue
            here, there = (slice(-step, None), slice(None, step))
            if step > 0:
                here, there = (slice(None, -step), slice(step, None))
            same_file = self.file_N[here] == self.file_N[there]
            likeness_N[here] += np.where(same_file, weight * like_U[self.words_N[there]], 0.0)
        if self.hidden:
            likeness_N[np.isin(self.file_N, list(self.hidden))] = 0.0
        return likeness_N

    def _around(self, places: Sequence[int], above: int, below: int) -> tuple[bytes, ...]:
        """Each place with up to `above` lines above it and `below` lines from it on.

        A place that an earlier excerpt shows, with what is above it and the line below, gets no
        excerpt of its own.
        """
        found: list[tuple[int, int]] = []
        for at in places:
            low, high = max(0, at - above), min(len(self), at + below)
            window = np.flatnonzero(self.file_N[low:high] == self.file_N[at])
            first, end = low + int(window[0]), low + int(window[-1]) + 1
            last = min(end, at + 2)
            if not any(start <= first and last <= stop for start, stop in found):
                found.append((first, end))
        return tuple(self._lines(first, end) for first, end in found)

    def _continuations(self, typed: bytes, likeness_N: Floats) -> list[int]:
        """Lines that hold the longest end of `typed`, then those that hold a shorter one.

        Of those that hold the same end the likelier ones come first.
        """
        found: dict[int, None] = {}
        length = self._longest_end(typed)
        while length >= min(_FEWEST_TYPED, len(typed)) and len(found) < MOST_PLACES:
            held = [n for n in self._holding(typed[-length:], _MOST_HELD) if n not in found]
            held.sort(key=lambda n: -float(likeness_N[n]))
            found.update(dict.fromkeys(held[: MOST_PLACES - len(found)]))
            length = int(length * _SHORTER)
        return list(found)

    def _holding(self, piece: bytes, most: int) -> list[int]:
        """The first `most` lines with `piece` in them that are looked at, in order."""
        found: list[int] = []
        at = self.text.find(piece)
        while at >= 0 and len(found) < most:
            n = int(np.searchsorted(self.starts_N, at, side="right")) - 1
            after = n + 1
            if self.file_N[n] in self.hidden:  # on with the next file
                after = int(np.searchsorted(self.file_N, self.file_N[n], side="right"))
            else:
                found.append(n)
            if after == len(self):
                break
            at = self.text.find(piece, int(self.starts_N[after]))
        return found

    def _longest_end(self, typed: bytes) -> int:
        """Bytes of the longest end of `typed` in a line; where one is, so are shorter ones."""
        low, high = 0, len(typed)
        while low < high:
            middle = (low + high + 1) // 2
            if self._holding(typed[-middle:], 1):
                low = middle
            else:
                high = middle - 1
        return low

    def _lines(self, first: int, end: int) -> bytes:
        stop = self.starts_N[end] if end < len(self) else len(self.text)
        return self.text[self.starts_N[first] : stop]


def _largest(likeness_N: Floats) -> list[int]:
    """Where it is largest, of equals the first; not where it is 0."""
    most = min(MOST_PLACES, int(np.count_nonzero(likeness_N)))
    return [int(n) for n in np.argsort(-likeness_N, kind="stable")[:most]]


def _last_two(above: bytes) -> tuple[bytes, bytes]:
    """The last two lines that are not blank, without their indentation; b"" for none."""
    lines = [line for line in above[-_MOST_ABOVE:].splitlines() if line.strip()]
    second, last = [b"", b"", *lines][-2:]
    return second[:LONGEST_LINE].strip(), last[:LONGEST_LINE].strip()


def _first(below: bytes) -> bytes:
    """The first line that is not blank, without its indentation."""
    return below.lstrip().partition(b"\n")[0][:LONGEST_LINE].strip()
