"""Attention that computes the context's keys and values once and lends them to every canvas.

Context tokens attend to context only; a canvas token attends to the context and to its own
canvas. The keys and values of the context therefore do not depend on any canvas, and one
`ContextCache` serves every step, every candidate length and every keystroke inside the hole.

A model hands every layer's query, key and value to a `WritePass` (encoding the context; of the last
layer, key and value will do) or a `ReadPass` (one step); both live for one forward pass. How a
transformers model gets here is `diffusion.model.attention`'s business; `diffusion.model.lean` calls
directly.

All canvases of a step run as ONE row of tokens, cut by a block mask: the context is neither
expanded nor copied per canvas, and padding never enters the model. (Measured: appending the
canvas's keys with `cat` costs 0.03 ms per layer at 512 x 512, as much as keeping spare room for
them would, so a cache is never written to after it is made.)

Invariants: a `ContextCache` is immutable and holds no reference to a canvas; nothing is global.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch.nn.functional import scaled_dot_product_attention

from diffusion.cancel import CancelToken
from diffusion.errors import ModelError


@dataclass(frozen=True, slots=True, eq=False)
class LayerContext:
    """One layer's context: keys (rotated, where the model rotates) and values."""

    key_1HCD: torch.Tensor
    value_1HCD: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ContextCache:
    """The context of one hole, encoded. Safe to share between threads: nothing writes to it."""

    layers: tuple[LayerContext, ...]
    positions_1C: torch.Tensor

    @property
    def tokens(self) -> int:
        """Number of context tokens."""
        return int(self.positions_1C.shape[1])

    @property
    def bytes(self) -> int:
        """Memory held by keys and values, in bytes."""
        return sum(layer.key_1HCD.nbytes + layer.value_1HCD.nbytes for layer in self.layers)

    def read_in(self, dtype: torch.dtype | None) -> ContextCache:
        """For the steps of one hole: as attention reads it, so that no step has to convert it.

        Itself where that is how it is kept, or None is asked for.
        """
        if dtype is None or self.layers[0].key_1HCD.dtype == dtype:
            return self
        layers = (
            LayerContext(layer.key_1HCD.to(dtype), layer.value_1HCD.to(dtype))
            for layer in self.layers
        )
        return ContextCache(tuple(layers), self.positions_1C)


class Pass(Protocol):
    """What an attention needs of a forward pass under way."""

    def attend(
        self,
        query_1HLD: torch.Tensor,
        key_1HLD: torch.Tensor,
        value_1HLD: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        """Attention output [1, H, L, D] of the next layer."""


class WritingPass(Pass, Protocol):
    """What a model needs of a pass that remembers keys and values."""

    def keep(self, key_1HLD: torch.Tensor, value_1HLD: torch.Tensor) -> None:
        """Remembers a layer whose attention nobody needs."""


class WritePass:
    """Encodes a context: attention among its tokens, keeping each layer's keys and values."""

    def __init__(
        self, cancel: CancelToken | None = None, kept_dtype: torch.dtype | None = None
    ) -> None:
        """`cancel` is looked at before every layer; once set, the pass ends with Cancelled.

        `kept_dtype`: what keys and values are rounded to; None keeps them as they come.
        """
        self._layers: list[LayerContext] = []
        self._cancel = cancel
        self._kept_dtype = kept_dtype

    def attend(
        self,
        query_1HLD: torch.Tensor,
        key_1HLD: torch.Tensor,
        value_1HLD: torch.Tensor,
        scaling: float | None,
    ) -> torch.Tensor:
        """Attention among the context; remembers this layer."""
        self.keep(key_1HLD, value_1HLD)
        return attended(query_1HLD, key_1HLD, value_1HLD, scaling)

    def keep(self, key_1HLD: torch.Tensor, value_1HLD: torch.Tensor) -> None:
        """Remembers a layer: all that the last one is needed for."""
        if self._cancel is not None:
            self._cancel.raise_if_cancelled()
        # Contiguous copies: a view would keep the whole fused query-key-value tensor alive.
        kept = (
            torch.empty_like(
                part_1HLD, dtype=self._kept_dtype, memory_format=torch.contiguous_format
            ).copy_(part_1HLD)
            for part_1HLD in (key_1HLD, value_1HLD)
        )
        self._layers.append(LayerContext(*kept))

    def finish(self, positions_1C: torch.Tensor) -> ContextCache:
        """The cache, once the trunk has run. ModelError if no layer came by here."""
        if not self._layers:
            raise ModelError(
                "no layer of the model attended through the cache",
                fix="make a denoiser of the model again, or call its set_attn_implementation",
            )
        return ContextCache(tuple(self._layers), positions_1C.clone())


class Join(Protocol):
    """Puts what a pass has read of a layer beside the context's."""

    def __call__(
        self, number: int, context: LayerContext, read: LayerContext, /
    ) -> LayerContext: ...


def joined(number: int, context: LayerContext, read: LayerContext) -> LayerContext:
    """The context's keys and values, then those that were read: [1, H, C + T, D].

    All in the precision of the latter, which is not the coarser one.
    """
    return LayerContext(
        torch.cat((context.key_1HCD, read.key_1HCD), dim=2),
        torch.cat((context.value_1HCD, read.value_1HCD), dim=2),
    )


class ReadPass:
    """One step: canvas tokens attend to a cached context and to the canvas tokens they may see."""

    def __init__(
        self, cache: ContextCache, sees_TS: torch.Tensor, join: Join | None = None
    ) -> None:
        """`sees_TS`: bool, which of the S canvas tokens each of the T that are read looks at.

        They are the same tokens, unless `join` adds others to those that are read.
        """
        self._cache = cache
        self._join = join or joined
        self._elsewhere_TS = None if bool(sees_TS.all()) else ~sees_TS
        self._bias_TK: torch.Tensor | None = None
        self._next_layer = 0

    def attend(
        self,
        query_1HLD: torch.Tensor,
        key_1HLD: torch.Tensor,
        value_1HLD: torch.Tensor,
        scaling: float | None,
        rows_M: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Attention of the canvas row over [context, canvas tokens].

        `rows_M`: which of the canvas tokens the queries are, where they are not all of them.
        """
        number = self._next_layer
        if number == len(self._cache.layers):
            raise ModelError(
                f"the context was encoded by a model of {number} layers, this one has more",
                fix="encode the context again with the model that reads it",
            )
        self._next_layer += 1
        seen = self._join(number, self._cache.layers[number], LayerContext(key_1HLD, value_1HLD))
        if _is_slow_fused(query_1HLD):
            elsewhere_TS = _rows(self._elsewhere_TS, rows_M)
            return _written_out(
                query_1HLD, seen.key_1HCD, seen.value_1HCD, scaling, elsewhere_TS
            )
        bias_TK = _rows(self._bias(query_1HLD.dtype), rows_M)
        return scaled_dot_product_attention(
            query_1HLD, seen.key_1HCD, seen.value_1HCD, attn_mask=bias_TK, scale=scaling
        )

    def _bias(self, dtype: torch.dtype) -> torch.Tensor | None:
        """What is added to the scores [T, C + S]. Made once: torch would make it in each layer."""
        if self._bias_TK is None and self._elsewhere_TS is not None:
            bias_TS = torch.zeros_like(self._elsewhere_TS, dtype=dtype)
            bias_TS.masked_fill_(self._elsewhere_TS, float("-inf"))
            self._bias_TK = torch.nn.functional.pad(bias_TS, (self._cache.tokens, 0))
        return self._bias_TK

    def finish(self) -> None:
        """Checks, once the trunk has run, that every cached layer was read."""
        if self._next_layer != len(self._cache.layers):
            raise ModelError(
                f"the model read {self._next_layer} of the context's {len(self._cache.layers)} "
                "layers",
                fix="encode the context again with the model that reads it",
            )


def attended(
    query_1HLD: torch.Tensor,
    key_1HKD: torch.Tensor,
    value_1HKD: torch.Tensor,
    scaling: float | None,
) -> torch.Tensor:
    """Attention [1, H, L, D] of queries that see every key."""
    if _is_slow_fused(query_1HLD):
        return _written_out(query_1HLD, key_1HKD, value_1HKD, scaling)
    return scaled_dot_product_attention(query_1HLD, key_1HKD, value_1HKD, scale=scaling)


def _rows(mask_TK: torch.Tensor | None, rows_M: torch.Tensor | None) -> torch.Tensor | None:
    return mask_TK if mask_TK is None or rows_M is None else mask_TK[rows_M]


def _is_slow_fused(query_1HLD: torch.Tensor) -> bool:
    """Whether two matrix products are quicker than the fused form.

    On a processor it multiplies blocks that are too small for the bfloat16 units; measured in
    docs/decisions/0012.
    """
    return query_1HLD.dtype == torch.bfloat16 and query_1HLD.device.type == "cpu"


def _written_out(
    query_1HLD: torch.Tensor,
    key_1HKD: torch.Tensor,
    value_1HKD: torch.Tensor,
    scaling: float | None,
    elsewhere_TS: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention as two matrix products, [1, H, L, D].

    `elsewhere_TS`: which of the last S keys a row must not see.
    """
    scale = query_1HLD.shape[-1] ** -0.5 if scaling is None else scaling
    scores_1HLK = (query_1HLD * scale) @ key_1HKD.transpose(2, 3)
    if elsewhere_TS is not None:
        scores_1HLK[..., -elsewhere_TS.shape[1] :].masked_fill_(elsewhere_TS, float("-inf"))
    return torch.softmax(scores_1HLK, dim=-1) @ value_1HKD
