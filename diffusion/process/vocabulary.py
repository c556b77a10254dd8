"""What the sampler must know about tokens as text: spelling, specials, words.

Built once per tokenizer (about 20 ms for 16,384 tokens), then read-only, so one may serve
all threads. Tokens are sorted by their bytes: the tokens that start with given bytes are one
range of that order, found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch

from diffusion.errors import SamplerError
from diffusion.text.tokenizer import DEL, SPECIAL_COUNT

_WORD_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") | frozenset(
    range(0x80, 0x100)
)


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """A tokenizer's tokens, as the sampler sees them. Make one with `build`."""

    size: int
    token_bytes: tuple[bytes, ...]
    wordless: tuple[bool, ...]
    """Whether a token has no letter: whitespace, punctuation and digits."""
    line_end: tuple[bool, ...]
    """Whether a token is a newline with nothing but indentation."""
    blank: tuple[bool, ...]
    """Whether a token shows nothing: white space only."""
    forbidden_ids: torch.Tensor
    """Ids that a slot may never hold: specials other than DEL, and tokens without bytes."""
    blank_ids: torch.Tensor
    """Ids of the blank tokens."""
    longest: int
    """Bytes of the longest token."""
    _sorted_bytes: tuple[bytes, ...]
    _sorted_ids: tuple[int, ...]

    @classmethod
    def build(cls, token_bytes: Callable[[int], bytes], size: int) -> Vocabulary:
        """Index the ids 0..size-1.

        Raises:
            SamplerError: there is no token besides the specials.
        """
        table = tuple(
            token_bytes(token) if token >= SPECIAL_COUNT else b"" for token in range(size)
        )
        spelled = sorted((data, token) for token, data in enumerate(table) if data)
        if not spelled:
            raise SamplerError(
                f"a vocabulary of {size} ids holds no text", fix="load the model's own tokenizer"
            )
        forbidden = [token for token in range(size) if token != DEL and not table[token]]
        return cls(
            size=size,
            token_bytes=table,
            wordless=tuple(_WORD_BYTES.isdisjoint(data) for data in table),
            line_end=tuple(b"\n" in data and not data.strip() for data in table),
            blank=tuple(bool(data) and not data.strip() for data in table),
            blank_ids=torch.tensor(
                [token for token, data in enumerate(table) if data and not data.strip()],
                dtype=torch.long,
            ),
            forbidden_ids=torch.tensor(forbidden, dtype=torch.long),
            longest=max(map(len, table)),
            _sorted_bytes=tuple(data for data, _ in spelled),
            _sorted_ids=tuple(token for _, token in spelled),
        )

    def completing(self, wanted: bytes) -> list[int]:
        """Tokens whose bytes start with `wanted` (non-empty)."""
        low = bisect_left(self._sorted_bytes, wanted)
        high = bisect_right(self._sorted_bytes, wanted, lo=low, key=lambda b: b[: len(wanted)])
        return list(self._sorted_ids[low:high])

    def beginning(self, wanted: bytes) -> list[int]:
        """Tokens whose bytes are a proper, non-empty prefix of `wanted`."""
        found: list[int] = []
        for length in range(1, min(len(wanted), self.longest + 1)):
            prefix = wanted[:length]
            at = bisect_left(self._sorted_bytes, prefix)
            while at < len(self._sorted_bytes) and self._sorted_bytes[at] == prefix:
                found.append(self._sorted_ids[at])
                at += 1
        return found

    def least_tokens(self, wanted: bytes) -> list[int]:
        """`[i]`: with how few tokens `wanted[i:]` can be spelled; the last may spell more.

        Longer than `wanted` where it cannot.
        """
        return list(_least_tokens(self, wanted))

    def _count_tokens(self, wanted: bytes) -> list[int]:
        never = len(wanted) + 1
        least = [never] * len(wanted) + [0]
        for i in range(len(wanted) - 1, -1, -1):
            rest = wanted[i:]
            if self._any_starts_with(rest):
                least[i] = 1
                continue
            lengths = {len(self.token_bytes[token]) for token in self.beginning(rest)}
            least[i] = min((1 + least[i + n] for n in lengths), default=never)
        return least

    def _any_starts_with(self, wanted: bytes) -> bool:
        at = bisect_left(self._sorted_bytes, wanted)
        return at < len(self._sorted_bytes) and self._sorted_bytes[at].startswith(wanted)


@lru_cache(maxsize=256)
def _least_tokens(vocabulary: Vocabulary, wanted: bytes) -> tuple[int, ...]:
    """Every row of a request asks for what is typed, at every step."""
    return tuple(vocabulary._count_tokens(wanted))
