"""A step that reads only what changed: canvas tokens keep their keys and values between passes.

A pass of `CachingDenoiser.step` reads every token of every canvas. Most of them have not changed
since the pass before, nor has much of what they see. `KeptSlots` reads the slots whose logits are
wanted and the tokens that were put since they were last read; all others lend the keys and values
that they had then. It is the cache of dKV-Cache (Ma et al. 2025, arXiv 2505.15781) and of Fast-dLLM
(Wu et al. 2025, arXiv 2505.22618) for the canvas, beside the exact one for the context.

It is an approximation, as a token that is not read again does not learn of those put later;
docs/decisions/0021 has what it costs and saves. Every canvas has a place in one buffer a layer,
which holds the context, too, so that nothing is joined or moved from pass to pass; a fork takes a
copy of its parent's place.

Invariants: the first pass, and one over canvases that are not known, are those of `step`; what a
pass says depends on the passes before it on this hole and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from diffusion.model.caching import CachingDenoiser, check_wanted
from diffusion.model.context_cache import ContextCache, LayerContext, ReadPass
from diffusion.text.tokenizer import MASK


@dataclass(frozen=True, slots=True)
class _Canvas:
    """A canvas as it was when its tokens were last read; its place begins at `at`."""

    ids: tuple[int, ...]
    at: int

    def goes_on_as(self, ids: Sequence[int]) -> bool:
        """Whether `ids` is this canvas, or this canvas with masks filled.

        Nothing else may use what is kept here: it has seen text that is not on the other canvas.
        """
        return len(ids) == len(self.ids) and all(
            one in (other, MASK) for one, other in zip(self.ids, ids, strict=True)
        )

    def changed(self, ids: Sequence[int]) -> int:
        """In how many places `ids`, which goes on from here, differs."""
        return sum(one != other for one, other in zip(self.ids, ids, strict=True))


class KeptSlots:
    """One hole's step function: what the process calls a `Denoise`. Not for several threads."""

    def __init__(self, denoiser: CachingDenoiser, cache: ContextCache, start_position: int) -> None:
        self._denoiser, self._cache, self._start = denoiser, cache, start_position
        self._canvases: list[_Canvas] = []
        self._kept = _Places(cache.tokens)
        self.tokens_read = 0

    @torch.no_grad()
    def __call__(
        self, ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor
    ) -> torch.Tensor:
        """As `BoundDenoiser`, but for what is told above."""
        valid_BN = check_wanted(ids_BN, lengths_B, wanted_BN)
        if not bool(wanted_BN.any()):
            return torch.empty(0, self._denoiser.vocab_size)
        row_S, column_S = valid_BN.nonzero().unbind(1)
        ids_S, wanted_S = ids_BN[valid_BN], wanted_BN[valid_BN]
        canvases, known_S = self._placed(ids_S.split(lengths_B.tolist()))
        self._canvases = []  # what is kept is of no use if this pass fails
        fresh_S = wanted_S | ~known_S
        place_S = torch.tensor([canvas.at for canvas in canvases])[row_S] + column_S
        row_of_U = torch.full((self._kept.used,), -1)
        row_of_U[place_S] = row_S
        self._kept.fresh(place_S[fresh_S], self._denoiser.device)
        sees_TU = row_S[fresh_S][:, None] == row_of_U[None, :]
        logits_MV = self._denoiser.read(
            ReadPass(self._cache, sees_TU.to(self._denoiser.device), self._kept.join),
            ids_S[fresh_S],
            self._start + column_S[fresh_S],
            wanted_S[fresh_S],
        )
        self.tokens_read += int(fresh_S.sum())
        self._canvases = canvases
        return logits_MV

    def _placed(self, rows: Sequence[torch.Tensor]) -> tuple[list[_Canvas], torch.Tensor]:
        """A place for each canvas, and of all tokens whether the same one is kept there."""
        canvases: list[_Canvas] = []
        known: list[bool] = []
        taken: set[int] = set()
        self._kept.begin()
        for row_N in rows:
            ids = tuple(row_N.tolist())
            older = min(
                (one for one in self._canvases if one.goes_on_as(ids)),
                key=lambda one: one.changed(ids),
                default=None,
            )
            if older is None:
                at = self._kept.place(len(ids))
                known += [False] * len(ids)
            else:
                at = older.at
                if at in taken:
                    at = self._kept.place(len(ids), like=at)
                known += [one == other for one, other in zip(older.ids, ids, strict=True)]
            taken.add(at)
            canvases.append(_Canvas(ids, at))
        return canvases, torch.tensor(known)


class _Places:
    """A buffer for each layer: the keys and values of the context, then the places of canvases.

    A place is never given back; a hole has a handful of canvases.
    """

    def __init__(self, context_tokens: int) -> None:
        self.used = 0
        self._context_tokens = context_tokens
        self._layers: list[LayerContext] = []
        self._copied: list[tuple[int, int, int]] = []
        self._fresh_T = torch.empty(0)

    def begin(self) -> None:
        """A new pass: no place has been copied in it."""
        self._copied = []

    def place(self, tokens: int, *, like: int | None = None) -> int:
        """A new place; in this pass it starts as a copy of the place at `like`."""
        at = self.used
        self.used += tokens
        if like is not None:
            self._copied.append((like, at, tokens))
        return at

    def fresh(self, place_T: torch.Tensor, device: torch.device) -> None:
        """Where the tokens belong that this pass reads."""
        self._fresh_T = (self._context_tokens + place_T).to(device)

    def join(self, number: int, context: LayerContext, read: LayerContext) -> LayerContext:
        """All that a layer's queries look at, what is read now among it: [1, H, C + U, D]."""
        begin, end = self._context_tokens, self._context_tokens + self.used
        if number == len(self._layers):
            self._layers.append(_with_room(context, end + self.used, read.key_1HCD.dtype))
        elif self._layers[number].key_1HCD.shape[2] < end:
            self._layers[number] = _with_room(
                self._layers[number], end + self.used, read.key_1HCD.dtype
            )
        layer = self._layers[number]
        for buffer_1HUD, read_1HTD in (
            (layer.key_1HCD, read.key_1HCD),
            (layer.value_1HCD, read.value_1HCD),
        ):
            for like, at, tokens in self._copied:
                source = slice(begin + like, begin + like + tokens)
                buffer_1HUD[:, :, begin + at : begin + at + tokens] = buffer_1HUD[:, :, source]
            buffer_1HUD.index_copy_(2, self._fresh_T, read_1HTD)
        return LayerContext(layer.key_1HCD[:, :, :end], layer.value_1HCD[:, :, :end])


def _with_room(layer: LayerContext, tokens: int, dtype: torch.dtype) -> LayerContext:
    """`layer` at the beginning of a buffer for so many tokens; zeros behind it."""

    def grown(part_1HCD: torch.Tensor) -> torch.Tensor:
        shape = (*part_1HCD.shape[:2], tokens, part_1HCD.shape[3])
        grown_1HUD = part_1HCD.new_zeros(shape, dtype=dtype)
        grown_1HUD[:, :, : part_1HCD.shape[2]] = part_1HCD
        return grown_1HUD

    return LayerContext(grown(layer.key_1HCD), grown(layer.value_1HCD))
