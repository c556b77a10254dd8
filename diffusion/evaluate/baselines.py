"""Fillers without a network: copy the nearest line, n-grams of the file itself, the first quote.

They set the floor that a model has to clear, and go through the same harness. Both see the
case's prefix and suffix only (the n-gram model can also be given other text); the reference
is looked at for one thing, how many lines or pieces the oracle length allows. Lengths count
in pieces (`diffusion.evaluate.pieces`), which stand in for slots.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from rapidfuzz.distance import Indel

from diffusion.evaluate.cases import Case, to_text
from diffusion.evaluate.infill_eval import Fill, Length
from diffusion.evaluate.pieces import pieces
from diffusion.ranking import MOST_QUOTES
from diffusion.text.implied_newline import implied_newline
from diffusion.text.quotes import find_quotes, longest_end

MOST_PIECES: Final = 64
_NEXT_LINE_WEIGHT: Final = 0.5
_LONGEST_LINE: Final = 200
_UNSEEN: Final = 1e-3


class CopyNearestLine:
    """Fill with what stands at the most similar place of the same file.

    Whole-line hole (only blanks before it on its line): among all places between two lines,
    the one whose line before (weight 1) and line after (weight 0.5) are most like those
    around the hole; the line there is copied, with its indentation moved along.
    Mid-line hole: the place where the longest end of the typed text occurs again; the rest
    of that line is copied, less what already stands after the hole.
    The oracle length is a number of lines for the former, of pieces for the latter.
    """

    name = "copy"

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        n_lines = max(1, len(case.middle.strip().splitlines())) if length == "oracle" else None
        limit = _piece_limit(case, length)
        return lambda: self._fill(case, n_lines, limit)

    def _fill(self, case: Case, n_lines: int | None, limit: int) -> Fill:
        above, _, typed = case.prefix.rpartition("\n")
        rest, _, below = case.suffix.partition("\n")
        if typed.strip():
            found, likeness = _rest_of_line(typed, rest, _lines(above), _lines(below))
        else:
            found, likeness = _whole_lines(_lines(above), _lines(case.suffix), n_lines or 1)
            found = found.removeprefix(typed)
            if found and _holds_whole_lines(case):
                found += "\n"
            limit = limit if n_lines is None else len(found)
        kept = pieces(found)[:limit]
        reason = None if kept else "no similar line"
        return Fill("".join(kept), len(kept), 1, likeness, reason)


def _lines(text: str) -> list[str]:
    return [line[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]


def _whole_lines(above: list[str], below: list[str], n_lines: int) -> tuple[str, float]:
    before = above[-1] if above else ""
    after = below[0] if below else ""
    best: list[str] = []
    best_base, best_score = "", -1.0
    for block in (above, below):
        for at in range(1, len(block)):
            following = block[at + n_lines] if at + n_lines < len(block) else ""
            likeness = _likeness(block[at - 1], before)
            likeness += _NEXT_LINE_WEIGHT * _likeness(following, after)
            if likeness >= best_score:
                best, best_base, best_score = block[at : at + n_lines], block[at - 1], likeness
    shift = len(_indent(before)) - len(_indent(best_base))
    moved = []
    for line in best:
        indent = _indent(line)
        unit = "\t" if (indent or _indent(before)).startswith("\t") else " "
        moved.append(unit * max(0, len(indent) + shift) + line.lstrip())
    return "\n".join(moved), max(0.0, best_score) / (1 + _NEXT_LINE_WEIGHT)


def _rest_of_line(typed: str, rest: str, above: list[str], below: list[str]) -> tuple[str, float]:
    typed = typed.lstrip()
    best, best_match = "", 0
    for line in [*above, *below]:
        at, match = longest_end(typed, line)
        if match >= best_match and match > 0 and line[at:].strip():
            best, best_match = line[at:], match
    closing = rest.strip()
    if closing and closing in best:
        best = best[: best.rindex(closing)]
    return best.rstrip(), best_match / len(typed)


def _likeness(a: str, b: str) -> float:
    return Indel.normalized_similarity(a.strip(), b.strip())


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


class FirstQuote:
    """The likest quote that serving would weigh, taken without asking the model.

    What the model adds to its quotes is what it is better by. The oracle length is a number of
    pieces, which a quote must have.
    """

    name = "quote"

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        limit = _piece_limit(case, length)
        return lambda: self._fill(case, limit, exact=length == "oracle")

    def _fill(self, case: Case, limit: int, *, exact: bool) -> Fill:
        cursor = case.cursor
        added = implied_newline(case.text_without_middle, cursor)
        data = case.text_without_middle
        data = data[:cursor] + added + data[cursor:]
        for quote in find_quotes(data, cursor, cursor, MOST_QUOTES):
            text = to_text(quote.text + added)
            count = len(pieces(text))
            if count == limit or (count < limit and not exact):
                return Fill(text, count, 1, quote.likeness)
        return Fill("", steps=1, reason="no similar place")


class NgramTable:
    """Counts of what follows each run of up to `order - 1` pieces."""

    def __init__(self, order: int) -> None:
        self.order = order
        self._followers: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)

    def add(self, units: list[str]) -> None:
        """Count one text."""
        for i, unit in enumerate(units):
            for n in range(min(i, self.order - 1) + 1):
                self._followers[tuple(units[i - n : i])][unit] += 1

    def followers(self, history: tuple[str, ...]) -> Counter[str]:
        """What followed this history, with counts; empty if it was never seen."""
        return self._followers.get(history) or Counter()

    @classmethod
    def trained(cls, texts: Iterable[str], order: int) -> NgramTable:
        """A table over whole texts, for instance documents of a corpus."""
        table = cls(order)
        for text in texts:
            table.add(pieces(text))
        return table


class Ngram:
    """Left-to-right n-grams over pieces, learned from the case's own prefix and suffix.

    Each piece is the commonest follower of the longest known history (backoff), counts of
    the file weighing `own_weight` against those of `background`. The piece cut by the cursor
    is dropped and constrains the first one, so mid-word holes work. Generation ends at the
    end of the line, where the suffix is due (its first two pieces are what comes next), when
    a history is unknown, or at the length limit. The oracle length is hit exactly.
    """

    name = "ngram"

    def __init__(
        self, order: int = 6, *, background: NgramTable | None = None, own_weight: int = 8
    ) -> None:
        self.order = order
        self._background = background
        self._own_weight = own_weight

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        limit = _piece_limit(case, length)
        exact = length == "oracle"
        return lambda: self._fill(case, limit, exact)

    def _fill(self, case: Case, limit: int, exact: bool) -> Fill:
        history, after = pieces(case.prefix), pieces(case.suffix)
        healed = history.pop() if history else ""
        table = NgramTable(self.order)
        table.add(history)
        table.add(after)
        made: list[str] = []
        logs: list[float] = []
        while len("".join(made)) <= len(healed) or len(made) < limit + (made[0] == healed):
            choice = self._next(table, history, starts="" if made else healed)
            if choice is None:
                break
            unit, p = choice
            if not exact and made and (_ends_line(unit) or self._due(table, history, unit, after)):
                break
            made.append(unit)
            logs.append(math.log(p))
            history.append(unit)
        text = "".join(made)[len(healed) :]
        if text.strip() and _holds_whole_lines(case):
            text = text.rstrip() + "\n"
        confidence = math.exp(sum(logs) / len(logs)) if logs else None
        reason = None if text else "no known history"
        return Fill(text, len(made), len(made), confidence, reason)

    def _next(
        self, table: NgramTable, history: list[str], *, starts: str
    ) -> tuple[str, float] | None:
        """The best next piece that begins with `starts`, and its share at its history.

        None where the history is unknown; with `starts`, then `starts` itself.
        """
        shortest = 0 if starts else 1
        for n in range(min(self.order - 1, len(history)), shortest - 1, -1):
            known = tuple(history[len(history) - n :])
            votes: Counter[str] = Counter()
            for unit, count in table.followers(known).items():
                votes[unit] += count * self._own_weight
            if self._background is not None:
                votes.update(self._background.followers(known))
            fitting = {u: c for u, c in votes.items() if u.startswith(starts)}
            if fitting:
                unit = max(fitting, key=lambda u: fitting[u])
                return unit, fitting[unit] / sum(fitting.values())
        return (starts, _UNSEEN) if starts else None

    def _due(self, table: NgramTable, history: list[str], unit: str, after: list[str]) -> bool:
        """Whether what comes next is how the suffix begins."""
        if not after or unit.strip() != after[0].strip() or not unit.strip():
            return False
        following = self._next(table, [*history, unit], starts="")
        second = after[1] if len(after) > 1 else "\n"
        return following is None or following[0].strip() == second.strip()


def _holds_whole_lines(case: Case) -> bool:
    """Whether the hole runs from the start of a line to the start of the next."""
    return case.prefix.endswith("\n") and not case.suffix.startswith(("\n", "\r"))


def _ends_line(unit: str) -> bool:
    return unit.startswith(("\n", "\r\n"))


def _piece_limit(case: Case, length: Length) -> int:
    if length == "oracle":
        return max(1, len(pieces(case.middle)))
    return MOST_PIECES if isinstance(length, str) else length
