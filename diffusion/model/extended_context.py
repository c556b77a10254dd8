"""Reading on: a context's keys and values, some of them moved, and a few more tokens in its midst.

The tokens that are read see what is kept of it and one another; those that were there lend the keys
and values that they had, and never learn of what is read here. With rotary positions (Su et al.
2021) attention depends on the distance of two positions only, so keys that move by n positions are
turned on by n. What comes out is a context like any other (docs/decisions/0025).

Invariant: the context that is extended is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from diffusion.cancel import CancelToken
from diffusion.errors import ModelError
from diffusion.model.context_cache import ContextCache, LayerContext, attended

Turn = Callable[[torch.Tensor, int], torch.Tensor]
"""Keys [1, H, C, D] turned on by a number of positions."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Which tokens of a context are kept: the first `before`, and those from `after` on.

    The latter are `moved` by so many positions. The order of a cache's tokens is of no account, so
    what is read stands behind both.
    """

    before: int
    after: int
    moved: int


class ExtendPass:
    """Encodes tokens on top of a context; lives for one forward pass."""

    def __init__(
        self, cache: ContextCache, opened: Opened, turn: Turn, cancel: CancelToken | None = None
    ) -> None:
        """`cancel` is looked at before every layer; once set, the pass ends with Cancelled."""
        if not 0 <= opened.before <= opened.after <= cache.tokens:
            raise ModelError(
                f"a context of {cache.tokens} tokens cannot be opened between {opened.before} and "
                f"{opened.after}",
                fix="keep a start and an end of the context",
            )
        self._cache, self._opened, self._turn, self._cancel = cache, opened, turn, cancel
        self._layers: list[LayerContext] = []

    def attend(
        self,
        query_1HLD: torch.Tensor,
        key_1HLD: torch.Tensor,
        value_1HLD: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        """Attention over what was there and what is read; remembers both."""
        self.keep(key_1HLD, value_1HLD)
        layer, dtype = self._layers[-1], query_1HLD.dtype
        return attended(query_1HLD, layer.key_1HCD.to(dtype), layer.value_1HCD.to(dtype), scaling)

    def keep(self, key_1HLD: torch.Tensor, value_1HLD: torch.Tensor) -> None:
        """Remembers a layer: all that the last one is needed for."""
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()
        context, opened = self._cache.layers[len(self._layers)], self._opened
        key_1HCD, value_1HCD, dtype = context.key_1HCD, context.value_1HCD, context.key_1HCD.dtype
        keys = (
            key_1HCD[:, :, : opened.before],
            self._turn(key_1HCD[:, :, opened.after :], opened.moved),
            key_1HLD.to(dtype),
        )
        values = (
            value_1HCD[:, :, : opened.before],
            value_1HCD[:, :, opened.after :],
            value_1HLD.to(dtype),
        )
        self._layers.append(LayerContext(torch.cat(keys, dim=2), torch.cat(values, dim=2)))

    def finish(self, positions_1N: torch.Tensor) -> ContextCache:
        """The extended context, once the trunk has run; `positions_1N` are those that were read."""
        if len(self._layers) != len(self._cache.layers):
            raise ModelError(
                f"the model read {len(self._layers)} of the context's {len(self._cache.layers)} "
                "layers",
                fix="encode the context again with the model that extends it",
            )
        old_1C, opened = self._cache.positions_1C, self._opened
        moved_1A = old_1C[:, opened.after :] + opened.moved
        positions = (old_1C[:, : opened.before], moved_1A, positions_1N)
        return ContextCache(tuple(self._layers), torch.cat(positions, dim=1))
