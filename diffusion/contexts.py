"""The places that were asked about last: their contexts encoded, their documents indexed.

Keys are contents, so typing on a line, going back to a place, undo and another alternative find
what is there, and an edit elsewhere in the window does not. Least recently used places go first.

Invariants: a context is kept whole or not at all; what is kept is never written to; what is
encoded ahead of need takes the place of nothing that the last request used.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch

from diffusion.cancel import CancelToken
from diffusion.model.caching import CachingDenoiser
from diffusion.model.context_cache import ContextCache
from diffusion.model.extended_context import Opened
from diffusion.process.copying import CopyIndex
from diffusion.spare_cores import SpareCores
from diffusion.text.canvas import Context, Placement, lay_out, window_around
from diffusion.text.near_lines import ContextInParts, in_parts
from diffusion.text.tokenizer import Tokenizer

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class EncodedContext:
    """A context with its keys and values. `tokens_read`: how many had to be encoded for it."""

    context: Context
    cache: ContextCache
    tokens_read: int

    @property
    def was_there(self) -> bool:
        """Nothing had to be computed for it."""
        return not self.tokens_read

    @property
    def hole_position(self) -> int:
        """The position at which the canvas begins."""
        return self.context.hole_positions[0]

    @property
    def ids_before_canvas(self) -> list[int]:
        """The tokens that stand left of the canvas."""
        return [
            token
            for token, position in zip(self.context.ids, self.context.positions, strict=True)
            if position < self.hole_position
        ]


class Contexts:
    """At most `places` contexts of `context_tokens`, and as many indexes of documents.

    `cache_mb`: what the contexts may take together, if that is less; one is always kept.
    `copy_bytes`: how much of a document on either side of the hole is indexed.
    `spare_cores`: how many threads each request gets; None leaves torch's as they are.
    """

    def __init__(
        self,
        denoiser: CachingDenoiser,
        tokenizer: Tokenizer,
        *,
        context_tokens: int,
        copy_bytes: int,
        places: int,
        cache_mb: float = math.inf,
        spare_cores: SpareCores | None = None,
    ) -> None:
        self._spare_cores = spare_cores
        self._denoiser = denoiser
        self._tokenizer = tokenizer
        self._context_tokens = context_tokens
        self._copy_bytes = copy_bytes
        self._places = places
        self._cache_bytes = 1e6 * cache_mb
        self._caches: OrderedDict[Context | ContextInParts, ContextCache] = OrderedDict()
        self._indexes: OrderedDict[tuple[bytes, bytes], CopyIndex] = OrderedDict()
        self._in_use: frozenset[Context | ContextInParts] = frozenset()
        self._ahead = False

    def __len__(self) -> int:
        return len(self._caches)

    @property
    def indexes(self) -> int:
        """How many indexes of documents are kept."""
        return len(self._indexes)

    def clear(self) -> None:
        """Forget every place."""
        self._in_use = frozenset()
        self._caches.clear()
        self._indexes.clear()

    @contextmanager
    def ahead(self) -> Iterator[bool]:
        """What is encoded meanwhile is for a request that may come; whether there is room for it.

        Without room, a context would be encoded for nothing.
        """
        in_use = [cache.bytes for key, cache in self._caches.items() if key in self._in_use]
        size = sum(in_use) + max(in_use, default=0)
        self._ahead = True
        try:
            yield size <= self._cache_bytes and len(in_use) < self._places
        finally:
            self._ahead = False

    def encode(
        self, data: bytes, placement: Placement, language: str, cancel: CancelToken | None = None,
        *, keep: bool = True, in_haste: bool = False,
    ) -> EncodedContext:  # fmt: skip
        """The context of one hole of `data`. Raises Cancelled within one layer of the model.

        Before the first layer it is laid out, for which no more of `data` is tokenized than the
        budget's tokens may have: as long as a layer, in the worst of texts.
        `keep`: not for a place that nobody will come back to, which would push out one that
        somebody will. `in_haste`: in two parts, where the model can, so that little has to be read
        for the next line (`text.near_lines`).
        """
        if in_haste and self._denoiser.extends:
            parts = in_parts(self._tokenizer, data, placement, language, self._context_tokens)
            if parts is not None:
                return self._encode_in_parts(parts, cancel, keep)
        return self.encode_around(data, [placement], language, cancel, keep=keep)

    def encode_around(
        self,
        data: bytes,
        placements: Sequence[Placement],
        language: str,
        cancel: CancelToken | None = None,
        *,
        keep: bool = True,
    ) -> EncodedContext:
        """The context of several holes, in order and apart, as `encode` does for one.

        What stands between them counts towards the budget, but leaves a third of it to the rest.
        All of it is tokenized before anybody looks at `cancel`.
        """
        self._follow_load()
        first, last = placements[0], placements[-1]
        between = sum(
            len(self._tokenizer.encode(data[one.end : other.anchor]))
            for one, other in pairwise(placements)
        )
        budget = max(self._context_tokens - between, self._context_tokens // 3)
        outside = Placement(first.anchor, last.end, (), b"")
        window = window_around(self._tokenizer, data, outside, budget)
        context = lay_out(self._tokenizer, data, window, placements, language)
        encoded = EncodedContext(context, *self._encoded(context, cancel, keep))
        self._used(keep, context)
        return encoded

    def _encode_in_parts(
        self, parts: ContextInParts, cancel: CancelToken | None, keep: bool
    ) -> EncodedContext:
        """The far part, and on top of it the near lines, if there are any."""
        self._follow_load()
        if not parts.near_ids:
            encoded = EncodedContext(parts.far, *self._encoded(parts.far, cancel, keep))
            self._used(keep, parts.far)
            return encoded
        opened = Opened(parts.before, parts.kept_after, parts.moved)
        tokens_read = 0

        def make() -> ContextCache:
            nonlocal tokens_read
            far, tokens_read = self._encoded(parts.far, cancel, keep)
            tokens_read += len(parts.read_ids)
            ids_1N, positions_1N = (
                torch.tensor([values]) for values in (parts.read_ids, parts.read_positions)
            )
            return self._denoiser.extend_context(far, opened, ids_1N, positions_1N, cancel)

        if keep and parts.far in self._caches:
            self._caches.move_to_end(parts.far)  # the next line will ask for it
        cache = self._recall(self._caches, parts, make, keep)
        self._make_room()
        self._used(keep, parts.far, parts)
        return EncodedContext(parts.whole(), cache, tokens_read)

    def _encoded(
        self, context: Context, cancel: CancelToken | None, keep: bool
    ) -> tuple[ContextCache, int]:
        """What a context's tokens have to say, and how many had to be read for it."""
        tokens_read = 0

        def make() -> ContextCache:
            nonlocal tokens_read
            tokens_read = len(context.ids)
            ids_1C, positions_1C = torch.tensor([context.ids]), torch.tensor([context.positions])
            return self._denoiser.encode_context(ids_1C, positions_1C, cancel)

        cache = self._recall(self._caches, context, make, keep)
        self._make_room()
        return cache, tokens_read

    def _follow_load(self) -> None:
        """As many threads as are spare now: every request comes by here."""
        if self._spare_cores is not None:
            torch.set_num_threads(self._spare_cores.threads())

    def _used(self, keep: bool, *keys: Context | ContextInParts) -> None:
        """A request has been given these, which work ahead leaves alone then."""
        if keep and not self._ahead:
            self._in_use = frozenset(keys)

    def _make_room(self) -> None:
        """Forget the places asked about least recently, while there are too many; one is kept."""
        spared = self._in_use if self._ahead else frozenset()
        size = sum(cache.bytes for cache in self._caches.values())
        for key in [key for key in self._caches if key not in spared]:
            fits = size <= self._cache_bytes and len(self._caches) <= self._places
            if fits or len(self._caches) == 1:
                return
            size -= self._caches.pop(key).bytes

    def index(self, data: bytes, placement: Placement, *, keep: bool = True) -> CopyIndex:
        """What `data` says around the hole, made ready for votes. `keep`: as in `encode`."""
        anchor, end = placement.anchor, placement.end
        around = (
            data[max(0, anchor - self._copy_bytes) : anchor],
            data[end : end + self._copy_bytes],
        )

        def make() -> CopyIndex:
            before, after = (self._tokenizer.encode(part) for part in around)
            return CopyIndex((before, after), ending=after)

        index = self._recall(self._indexes, around, make, keep)
        if len(self._indexes) > self._places:
            self._indexes.popitem(last=False)
        return index

    def _recall(self, kept: OrderedDict[K, V], key: K, make: Callable[[], V], keep: bool) -> V:
        value = kept.get(key)
        if value is None:
            value = make()
        if keep:
            kept[key] = value
            kept.move_to_end(key)
        return value
