"""Greedy left-to-right writing of a middle, under the rules that the diffusion model has, too.

Job: a prompt's logits in, a middle out, one token a pass. The half-typed token is spelled first,
nothing blank is offered, and no special token is written; `END` stops the text where it may.
The writer sees a model as one object with `start` (`model.decoder.CausalDecoder`), so that every
rule is tested with scripted ones.

Invariants: with `exact`, as many tokens are written as the budget says; otherwise at most as many.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from diffusion.data.fim import END
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL


class Reader(Protocol):
    """A text that has been read in part."""

    def next(self, ids: tuple[int, ...]) -> torch.Tensor:
        """Logits [V] of the token after `ids`."""
        ...


class Model(Protocol):
    """What can go on with a prompt."""

    def start(self, prompt: tuple[int, ...], more: int) -> tuple[Reader, torch.Tensor]:
        """A reader that has read `prompt`, and the logits [V] of the next token."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """A middle with the constraint at its start. `log_p`: of each token, and of END if it ended.

    `passes`: runs of the model, that over the prompt included. `spelled`: the constraint is there.
    """

    ids: tuple[int, ...]
    log_p: tuple[float, ...]
    ended: bool
    passes: int
    spelled: bool


def write(
    model: Model,
    prompt: Sequence[int],
    vocabulary: Vocabulary,
    *,
    constraint: bytes,
    budget: int,
    exact: bool,
    stops: Container[int] = (),
) -> Written:
    """Write after `prompt` until END, or until `budget` (1 or more) tokens are there.

    With `exact` the text does not end before the budget: the oracle's length. A token of `stops`
    ends it as END does, once something visible is there.
    """
    reader, logits_V = model.start(tuple(prompt), budget)
    ids: list[int] = []
    log_p: list[float] = []
    rest, shows, passes = constraint, False, 1
    least = vocabulary.least_tokens(constraint)
    while True:
        left = budget - len(ids)
        allowed_V = _allowed(vocabulary, rest, least[len(constraint) - len(rest) :], left)
        allowed_V[END] = shows and not rest and not exact
        if not bool(allowed_V.any()):
            return Written(tuple(ids), tuple(log_p), False, passes, not rest)
        log_p_V = torch.log_softmax(logits_V.masked_fill(~allowed_V, float("-inf")), dim=-1)
        token = int(log_p_V.argmax())
        log_p.append(float(log_p_V[token]))
        if token == END or (token in stops and shows and not rest and not exact):
            return Written(tuple(ids), tuple(log_p), True, passes, True)
        ids.append(token)
        piece = vocabulary.token_bytes[token]
        shows = shows or bool(piece[len(rest) :].strip())
        rest = rest[len(piece) :]
        if len(ids) == budget:
            return Written(tuple(ids), tuple(log_p), False, passes, not rest)
        logits_V = reader.next((token,))
        passes += 1


def _allowed(vocabulary: Vocabulary, rest: bytes, least: Sequence[int], left: int) -> torch.Tensor:
    """Where a token may stand, bool [V]: any text, or what spells `rest` within `left` tokens.

    `least[i]`: with how few tokens `rest[i:]` can be spelled.
    """
    if not rest:
        allowed_V = torch.ones(vocabulary.size, dtype=torch.bool)
        allowed_V[vocabulary.forbidden_ids] = False
        allowed_V[DEL] = False
        return allowed_V
    allowed_V = torch.zeros(vocabulary.size, dtype=torch.bool)
    allowed_V[vocabulary.completing(rest)] = True
    for token in vocabulary.beginning(rest):
        if least[len(vocabulary.token_bytes[token])] < left:
            allowed_V[token] = True
    return allowed_V
