"""A cache of the document's own phrases, mixed into what the model says.

A small model knows little of the world, but code repeats itself: after `self.` in this file comes
what came after it before. `CopyIndex` finds the places where the tokens to the left of a slot
occur in the document; what follows there votes for the slot, longer matches counting more. A
`CopyingDenoiser` mixes these votes into the model's probabilities, with a weight that depends on
how long the match is and how far the votes agree, and that was fitted to validation text
(`diffusion.evaluate.fit_copying`). The idea is the cache language model (Kuhn and De Mori 1990;
Grave et al. 2017 for neural ones), with unbounded matches as in infini-gram (Liu et al. 2024).

Where the token of a masked slot is as good as certain, the slot after it gets the votes that
it would have with that token in place, so that a sampler can take several copied tokens in a step.

Invariants: a slot whose left neighbour is open keeps the model's probabilities; votes depend on
the document and on what is to the left, never on other rows; probabilities still sum to 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from diffusion.errors import ConfigError
from diffusion.process.denoiser import Denoise
from diffusion.text.json_file import read_object
from diffusion.text.tokenizer import DEL, MASK, SPECIAL_COUNT

COPYING_FILE: Final = "copying.json"
VERSION: Final = 1
LONGEST_MATCH: Final = 12
_BASE: Final = 4.0
"""A match of one token more counts this many times as much."""
_MATCH_STEPS: Final = (1, 2, 3, 4, 6, 9)
_AGREEMENT_STEPS: Final = (0.0, 0.5, 0.9)
_END_SHARE: Final = 0.7
"""Of a vote for the line end that follows the hole, the share that means "the hole ends"."""
_SETTLED_P: Final = 0.95
"""A masked slot counts as filled for the votes of the next one when its token is this probable."""
_SEPARATOR: Final = -1

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Votes:
    """What the document proposes for one slot. `shares` sum to 1.

    `longest`: tokens of the longest match, 1..LONGEST_MATCH.
    """

    tokens: tuple[int, ...]
    shares: tuple[float, ...]
    longest: int

    @property
    def bucket(self) -> tuple[int, int]:
        """Row and column of the weight table."""
        length = sum(self.longest >= step for step in _MATCH_STEPS) - 1
        agreement = sum(max(self.shares) >= step for step in _AGREEMENT_STEPS) - 1
        return length, agreement

    def share_of(self, token: int) -> float:
        """The share of `token`, 0 if nothing proposes it."""
        return self.shares[self.tokens.index(token)] if token in self.tokens else 0.0


class CopyIndex:
    """The tokens of a document, by where each occurs. Immutable."""

    def __init__(self, streams: Sequence[Sequence[int]], ending: Sequence[int] = ()) -> None:
        """Index stretches of text, each read on its own.

        Args:
            streams: token ids, for example of the text before the hole and of that after it.
            ending: the first tokens after the hole: where they follow, the hole ends.
        """
        parts = [np.array([_SEPARATOR], np.int64)]
        for stream in streams:
            parts += [np.asarray(stream, np.int64), parts[0]]
        self._ids: Ids = np.concatenate(parts)
        self._order = np.argsort(self._ids, kind="stable")
        self._sorted = self._ids[self._order]
        self._ending = tuple(ending[:2])

    @property
    def ending(self) -> tuple[int, ...]:
        """The first tokens after the hole, two at most."""
        return self._ending

    def votes(self, history: Sequence[int], *, line_ends: frozenset[int]) -> Votes | None:
        """What follows `history` elsewhere; None if its last token occurs nowhere else.

        `line_ends` are the ids of tokens that begin with a newline.
        """
        if not history:
            return None
        low, high = np.searchsorted(self._sorted, [history[-1], history[-1] + 1])
        at_P = self._order[low:high]
        at_P = at_P[self._ids[at_P + 1] >= SPECIAL_COUNT]
        if not len(at_P):
            return None
        length_P = np.ones(len(at_P), np.int64)
        alive_P = np.ones(len(at_P), bool)
        for back in range(1, min(LONGEST_MATCH, len(history))):
            place_P = np.maximum(at_P - back, 0)
            alive_P &= self._ids[place_P] == history[-1 - back]
            if not alive_P.any():
                break
            length_P += alive_P
        weight_P = _BASE ** (length_P - length_P.max()).astype(np.float64)
        return self._count(at_P + 1, weight_P, int(length_P.max()), line_ends)

    def _count(
        self, next_P: Ids, weight_P: NDArray[np.float64], longest: int, line_ends: frozenset[int]
    ) -> Votes:
        found: dict[int, float] = {}
        total = float(weight_P.sum())
        for at, weight in zip(next_P.tolist(), weight_P.tolist(), strict=True):
            token = int(self._ids[at])
            end = self._end_share(at, token, line_ends)
            if end > 0:
                found[DEL] = found.get(DEL, 0.0) + end * weight / total
            if end < 1:
                found[token] = found.get(token, 0.0) + (1 - end) * weight / total
        return Votes(tuple(found), tuple(found.values()), longest)

    def _end_share(self, at: int, token: int, line_ends: frozenset[int]) -> float:
        """How far a place before `at` says that the hole ends: what follows stands there, too."""
        if not self._ending or token != self._ending[0]:
            return 0.0
        if len(self._ending) > 1 and self._ids[at + 1] == self._ending[1]:
            return 1.0
        return _END_SHARE if token in line_ends else 0.0


def _flat(value: float) -> tuple[tuple[float, ...], ...]:
    return ((value,) * len(_AGREEMENT_STEPS),) * len(_MATCH_STEPS)


@dataclass(frozen=True, slots=True)
class CopyWeights:
    """Share of the document's votes in the mixture, by match length and agreement.

    Rows: matches of at least 1, 2, 3, 4, 6, 9 tokens. Columns: the leading vote has at least 0,
    0.5, 0.9 of the shares.
    """

    table: tuple[tuple[float, ...], ...] = _flat(0.0)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape_is_right = len(self.table) == len(_MATCH_STEPS) and all(
            len(row) == len(_AGREEMENT_STEPS) for row in self.table
        )
        if not shape_is_right or not all(0 <= w < 1 for row in self.table for w in row):
            raise ConfigError(
                f"copy weights are {len(_MATCH_STEPS)} rows of {len(_AGREEMENT_STEPS)} numbers in "
                "[0, 1)",
                fix="fit them again: diffill calibrate",
            )

    def __bool__(self) -> bool:
        return any(w > 0 for row in self.table for w in row)

    def weight(self, votes: Votes) -> float:
        """The share of `votes` in the mixture."""
        row, column = votes.bucket
        return self.table[row][column]

    def save(self, path: Path) -> None:
        """Write as JSON."""
        raw = {"version": VERSION, "table": self.table, "facts": self.facts}
        path.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def for_model(cls, path: Path, weights_sha256: str | None) -> CopyWeights:
        """The weights at `path`, or zero where they were fitted to another model's probabilities.

        Raises ConfigError as `load` does.
        """
        found = cls.load(path)
        return found if found.facts.get("weights_sha256") in (None, weights_sha256) else cls()

    @classmethod
    def load(cls, path: Path) -> CopyWeights:
        """Read what `save` wrote; no file means weights of zero. Raises ConfigError."""
        try:
            raw = read_object(path)
            if raw["version"] != VERSION:
                raise ValueError(f"version {raw['version']}, not {VERSION}")
            table = tuple(tuple(float(w) for w in row) for row in raw["table"])
            return cls(table, dict(raw.get("facts", {})))
        except FileNotFoundError:
            return cls()
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} cannot be read ({error})", fix="fit it again: diffill calibrate"
            ) from error


class Voting(Protocol):
    """What has votes: a document's index, or one with other files' behind it."""

    def votes(self, history: Sequence[int], *, line_ends: frozenset[int]) -> Votes | None:
        """What follows `history` elsewhere, if anything does."""
        ...


class CopyingDenoiser:
    """A `Denoise` that mixes the document's votes into another's probabilities."""

    def __init__(
        self,
        denoise: Denoise | None,
        index: Voting,
        weights: CopyWeights,
        before: Sequence[int],
        line_ends: frozenset[int],
    ) -> None:
        """`before`: tokens of the context that end where the canvas begins.

        Without `denoise` it only adds votes to what others have worked out.
        """
        self._denoise = denoise
        self._index = index
        self._weights = weights
        self._before = tuple(before[-LONGEST_MATCH:])
        self._line_ends = line_ends
        self._known: dict[tuple[int, ...], Votes | None] = {}

    def votes(self, canvas: Sequence[int], slot: int) -> Votes | None:
        """What the document says of `slot`, given what stands left of it on the canvas."""
        history: list[int] = []
        for token in (*reversed(canvas[:slot]), *reversed(self._before)):
            if token == MASK or len(history) == LONGEST_MATCH:
                break
            history.append(token)
        key = tuple(reversed(history))
        if key not in self._known:
            self._known[key] = self._index.votes(key, line_ends=self._line_ends)
        return self._known[key]

    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor
    ) -> torch.Tensor:
        """Log-probabilities of the mixture at the wanted positions, [M, V]."""
        assert self._denoise is not None
        log_p_MV = torch.log_softmax(self._denoise(ids_BN, lengths_B, wanted_BN), dim=-1)
        rows = ids_BN.tolist()
        self.add_votes(log_p_MV, [(rows[row], slot) for row, slot in wanted_BN.nonzero().tolist()])
        return log_p_MV

    def add_votes(self, log_p_MV: torch.Tensor, slots: Sequence[tuple[list[int], int]]) -> None:
        """Mix votes into log-probabilities, in place: row m is that of slot m, (canvas, slot).

        A slot that is as good as certain is filled in its canvas, for the votes of the next one.
        """
        for m, (canvas, slot) in enumerate(slots):
            votes = self.votes(canvas, slot)
            if votes is not None:
                self._mix(log_p_MV[m], votes)
            if canvas[slot] == MASK and (slot == 0 or canvas[slot - 1] != MASK):
                log_p, token = log_p_MV[m].max(dim=-1)
                if float(log_p) > math.log(_SETTLED_P) and int(token) != DEL:
                    canvas[slot] = int(token)

    def _mix(self, log_p_V: torch.Tensor, votes: Votes) -> None:
        """Mix the votes into one slot's log-probabilities, in place."""
        share = self._weights.weight(votes)
        if share == 0.0:
            return
        log_p_V += math.log1p(-share)
        ids_T = torch.tensor(votes.tokens, device=log_p_V.device)
        log_share_T = torch.tensor(votes.shares, device=log_p_V.device).log() + math.log(share)
        log_p_V[ids_T] = torch.logaddexp(log_p_V[ids_T], log_share_T)
