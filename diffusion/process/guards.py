"""Guards against the ways in which parallel unmasking repeats itself.

Three rules, all pure functions of one canvas:
- *Equal neighbours*: two adjacent slots filled in the same step did not see each other, so
  equal tokens there are usually one token predicted twice. Allowed only when nearly certain.
- *Loops*: a token may not complete a third repetition in a row of the same n-gram
  (n = 1..8) if the n-gram has a letter in it. N-grams of whitespace, punctuation and digits
  repeat in good code (`))`, `}}`, `0, 0, 0`, `----`) and may do so up to eight times. Of a longer
  n-gram (to n = 32: whole lines, blocks of two or three) the third repetition may not reach its
  middle, since a loop that is let go to its last token has been written.
- *Line ends*: an undertrained model fills a long canvas with line ends of changing indentation,
  which no n-gram rule sees. More than four in a row are hardly code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from diffusion.text.tokenizer import DEL, MASK


@dataclass(frozen=True, slots=True)
class Guards:
    """How much repetition is allowed. Repeats count occurrences in a row, so 1 is none."""

    equal_neighbour_p: float = 0.99
    """Equal tokens in adjacent slots of one step need more than this probability."""
    max_repeats: int = 2
    max_wordless_repeats: int = 8
    longest_ngram: int = 8
    longest_block: int = 32
    """N-grams longer than `longest_ngram`, up to this many tokens, may stand `max_repeats` times
    and half a time more."""
    max_line_ends: int = 4

    @classmethod
    def none(cls) -> Guards:
        """No guard at all: for measuring what each of them does."""
        return cls(equal_neighbour_p=0.0, longest_ngram=0, longest_block=0, max_line_ends=1_000_000)

    def loops(
        self,
        ids: Sequence[int],
        slot: int,
        token: int,
        wordless: Sequence[bool],
        line_end: Sequence[bool] = (),
    ) -> bool:
        """Whether `token` at `slot` of the canvas `ids` completes one repetition too many.

        Only filled slots next to each other count; masks and DEL end a stretch. `wordless[i]`
        says whether token i has no letter, `line_end[i]` whether it is a newline with indentation.
        """
        if token == DEL:
            return False
        left = slot
        while left > 0 and ids[left - 1] not in (MASK, DEL):
            left -= 1
        right = slot + 1
        while right < len(ids) and ids[right] not in (MASK, DEL):
            right += 1
        run = [*ids[left:slot], token, *ids[slot + 1 : right]]
        at = slot - left
        if line_end and line_end[token] and _stretch(run, at, line_end) > self.max_line_ends:
            return True
        for n in range(1, min(self.longest_ngram, len(run) // (self.max_repeats + 1)) + 1):
            length, start = _repeated(run, at, n)
            repeats = length // n
            if repeats <= self.max_repeats:
                continue
            has_no_letter = all(wordless[run[start + i]] for i in range(n))
            if repeats > (self.max_wordless_repeats if has_no_letter else self.max_repeats):
                return True
        most = self.max_repeats + 0.5
        for n in range(self.longest_ngram + 1, min(self.longest_block, int(len(run) / most)) + 1):
            length, start = _repeated(run, at, n)
            if length >= most * n and not all(wordless[run[start + i]] for i in range(n)):
                return True
        return False


def _stretch(run: Sequence[int], at: int, line_end: Sequence[bool]) -> int:
    """How many line ends stand in a row around index `at`, itself included."""
    low = high = at
    while low > 0 and line_end[run[low - 1]]:
        low -= 1
    while high + 1 < len(run) and line_end[run[high + 1]]:
        high += 1
    return high - low + 1


def _repeated(run: Sequence[int], at: int, n: int) -> tuple[int, int]:
    """The longest stretch around `at` that is an n-gram over and over; its length and start.

    The last repetition may be unfinished. A stretch of `n` tokens is no repetition.
    """
    best, best_start = n, 0
    last = len(run) - n
    for seed in (at - n, at):
        if not 0 <= seed < last or run[seed] != run[seed + n]:
            continue
        low = high = seed
        while low > 0 and run[low - 1] == run[low - 1 + n]:
            low -= 1
        while high + 1 < last and run[high + 1] == run[high + 1 + n]:
            high += 1
        length = high - low + 1 + n
        if length > best:
            best, best_start = length, low
    return best, best_start
