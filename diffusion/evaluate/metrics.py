"""What is measured on one completion, and how single figures become totals.

Definitions (c = completion, m = the case's middle):
- exact_match: c and m are equal once white space is stripped from both ends of both. An
  editor shows no difference between them but the indentation of the first line.
- exact_match_strict: c and m are the same characters.
- edit_similarity: 1 - Levenshtein(c, m) / max(len(c), len(m)), in characters, both stripped
  as for exact_match; 1 when both are empty.
- parses: prefix + c + suffix has no more syntax errors than prefix + m + suffix. Unknown
  (None) for a language without a grammar; unknown cases are left out of the mean.
- empty: c holds nothing but white space.
- repetition: c holds, `REPEATS` times or more in a row, either the same 1 to
  `LONGEST_UNIT` visible pieces or the same non-blank line, and that run has at least
  `LEAST_RUN_CHARS` visible characters (so `0, 0, 0` is code). No reference middle of the
  public infilling sets (about 9 300) is flagged under these settings.
- suffix_echo: the last non-blank line of c is also the first non-blank line of the suffix,
  has a letter or digit in it, and the reference does not do the same.

Rates are means over cases. Intervals are percentile bootstraps with a fixed seed over groups of
cases (`groups`): cases of one problem are right or wrong together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from rapidfuzz.distance import Levenshtein

from diffusion.evaluate.cases import Case, to_bytes
from diffusion.evaluate.pieces import visible_pieces
from diffusion.text.syntax import SyntaxTree

REPEATS = 3
LONGEST_UNIT = 8
LEAST_RUN_CHARS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """The measures of one completion; see the module for what each means."""

    exact_match: bool
    exact_match_strict: bool
    edit_similarity: float
    parses: bool | None
    empty: bool
    repetition: bool
    suffix_echo: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bootstrap interval [low, high], and from how many groups it was drawn."""

    mean: float
    low: float
    high: float
    groups: int


def score(case: Case, completion: str) -> Score:
    """Every measure of `completion` on `case`."""
    given, wanted = completion.strip(), case.middle.strip()
    return Score(
        exact_match=given == wanted,
        exact_match_strict=completion == case.middle,
        edit_similarity=Levenshtein.normalized_similarity(given, wanted),
        parses=parses(case, completion),
        empty=not given,
        repetition=repeats(completion),
        suffix_echo=_echoes(completion, case.suffix) and not _echoes(case.middle, case.suffix),
    )


def parses(case: Case, completion: str) -> bool | None:
    """Whether the completion adds no syntax error that the reference does not have.

    None when there is no grammar for the case's language or the document is too large.
    """
    if completion == case.middle:
        given = wanted = _errors(case, case.middle)
    else:
        given, wanted = _errors(case, completion), _errors(case, case.middle)
    if given is None or wanted is None:
        return None
    return given <= wanted


def repeats(text: str) -> bool:
    """Whether the text is stuck in a loop: see `repetition` in the module."""
    units = visible_pieces(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _has_run(lines, longest=1) or _has_run(units, longest=LONGEST_UNIT)


def _has_run(units: list[str], *, longest: int) -> bool:
    """Whether 1..`longest` units occur `REPEATS` times in a row in a long enough run."""
    for size in range(1, min(longest, len(units) // REPEATS) + 1):
        equal = 0
        for i in range(size, len(units) + 1):
            if i < len(units) and units[i] == units[i - size]:
                equal += 1
                continue
            if equal >= size * (REPEATS - 1):
                run = units[i - size - equal : i]
                if sum(map(len, run)) >= LEAST_RUN_CHARS:
                    return True
            equal = 0
    return False


def _echoes(text: str, suffix: str) -> bool:
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    following = next((line.strip() for line in suffix.splitlines() if line.strip()), "")
    return last == following and any(character.isalnum() for character in last)


@lru_cache(maxsize=16)  # the same reference for every length and filler
def _errors(case: Case, middle: str) -> int | None:
    document = to_bytes(case.prefix) + to_bytes(middle) + to_bytes(case.suffix)
    tree = SyntaxTree.parse(document, case.language)
    return tree.error_count() if tree.root is not None else None


def bootstrap(
    values: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    resamples: int = 1000,
    share: float = 0.95,
) -> Interval:
    """The mean of `values` and its percentile bootstrap interval over `share`.

    `groups`: for each value the group it belongs to. Groups are drawn with replacement, each with
    all its values; without them every value is a group. One group alone tells nothing of chance:
    its interval has no width.

    For a paired comparison of two fillers on the same cases, pass the differences case by
    case: the interval of their mean is the paired interval.

    Raises:
        ValueError: `values` is empty.
    """
    data = np.asarray(values, dtype=np.float64)
    if data.size == 0:
        raise ValueError("no values to bootstrap")
    keys = range(data.size) if groups is None else groups
    numbers = {group: number for number, group in enumerate(dict.fromkeys(keys))}
    at_N = np.array([numbers[group] for group in keys])
    sums_G, counts_G = np.bincount(at_N, weights=data), np.bincount(at_N)
    generator = np.random.default_rng(0)
    means = np.empty(resamples)
    for i in range(resamples):
        drawn = generator.integers(0, len(numbers), len(numbers))
        means[i] = sums_G[drawn].sum() / counts_G[drawn].sum()
    tail = (1.0 - share) / 2
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(data.mean()), float(low), float(high), len(numbers))
