"""Denoisers without a model: oracle, uniform and scripted, and a small byte vocabulary.

They follow the `Denoise` contract exactly and check that the caller does too (no PAD wanted,
lengths that match the padding), so a sampler that breaks it fails in every test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, PAD, SPECIAL_COUNT

Distribution = Mapping[int, float]
"""Token id -> probability; what is left of 1 is spread over the other ids with text."""
Script = Callable[[int, tuple[int, ...], int], Distribution]
"""(call number from 0, the row's ids, position) -> what the model says there."""


def byte_vocabulary(*words: bytes) -> Vocabulary:
    """Ids 32..287 are the single bytes, 288.. the given words."""
    table = [b""] * SPECIAL_COUNT + [bytes([byte]) for byte in range(256)] + list(words)
    return Vocabulary.build(table.__getitem__, len(table))


def byte_id(character: str) -> int:
    """Id of a one-byte character in `byte_vocabulary`."""
    return SPECIAL_COUNT + ord(character)


def byte_ids(text: str) -> tuple[int, ...]:
    return tuple(byte_id(character) for character in text)


def spelled(ids: Sequence[int], vocabulary: Vocabulary) -> bytes:
    """The text of a canvas."""
    return b"".join(vocabulary.token_bytes[token] for token in ids)


@dataclass
class Call:
    """One call as the denoiser saw it."""

    ids: list[list[int]]
    lengths: list[int]
    wanted: list[list[int]]


@dataclass
class ScriptedDenoiser:
    """Says at each wanted position what the script says, and records its calls.

    `before` runs at the start of each call, with the call's number: to cancel, or to move a
    clock.
    """

    vocab_size: int
    script: Script
    before: Callable[[int], None] = lambda call: None
    babbles_specials: bool = False
    """Whether the specials get a share of what is left, too."""
    calls: list[Call] = field(default_factory=list)

    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor, /
    ) -> torch.Tensor:
        number = len(self.calls)
        self.before(number)
        rows = [
            row[:length] for row, length in zip(ids_BN.tolist(), lengths_B.tolist(), strict=True)
        ]
        for row, padded in zip(rows, ids_BN.tolist(), strict=True):
            assert row and PAD not in row, "a canvas holds PAD"
            assert set(padded[len(row) :]) <= {PAD}, "padding holds a token"
        wanted = [[i for i, flag in enumerate(flags) if flag] for flags in wanted_BN.tolist()]
        assert any(wanted), "a call that wants nothing"
        self.calls.append(Call(rows, lengths_B.tolist(), wanted))
        logits = []
        for row, positions in zip(rows, wanted, strict=True):
            assert positions == [] or positions[-1] < len(row), "logits wanted at PAD"
            for position in positions:
                logits.append(self._logits(self.script(number, tuple(row), position)))
        return torch.stack(logits)

    def _logits(self, said: Distribution) -> torch.Tensor:
        first = 0 if self.babbles_specials else SPECIAL_COUNT
        others = self.vocab_size - first - sum(token >= first for token in said)
        rest = max(1.0 - sum(said.values()), 1e-12) / others
        logits_V = torch.full((self.vocab_size,), math.log(rest))
        logits_V[:first] = -60.0
        for token, p in said.items():
            logits_V[token] = math.log(p)
        return logits_V


def oracle(target: Sequence[int], vocab_size: int, p: float = 0.999) -> ScriptedDenoiser:
    """Knows the canvas: `target[i]` at position i, DEL behind it, each with probability `p`."""

    def script(call: int, ids: tuple[int, ...], position: int) -> Distribution:
        return {target[position] if position < len(target) else DEL: p}

    return ScriptedDenoiser(vocab_size, script)


def uniform(vocab_size: int) -> ScriptedDenoiser:
    """Knows nothing."""
    return ScriptedDenoiser(vocab_size, lambda call, ids, position: {}, babbles_specials=True)
