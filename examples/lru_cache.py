"""A small cache that forgets what was used least recently, with hit and miss counts."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


@dataclass
class CacheStats:
    hits: int = 0
    misses: int = 0
    evictions: int = 0

    @property
    def requests(self) -> int:
        return self.hits + self.misses

    @property
    def hit_rate(self) -> float:
        if self.requests == 0:
            return 0.0
        return self.hits / self.requests


class LRUCache(Generic[K, V]):
    def __init__(self, capacity: int) -> None:
        if capacity <= 0:
            raise ValueError("capacity must be positive")
        self.capacity = capacity
        self.stats = CacheStats()
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: K) -> bool:
        return key in self._items

    def get(self, key: K, default: V | None = None) -> V | None:
        if key not in self._items:
            self.stats.misses += 1
            return default
        self.stats.hits += 1
        self._items.move_to_end(key)
        return self._items[key]

    def put(self, key: K, value: V) -> None:
        if key in self._items:
            self._items.move_to_end(key)
        self._items[key] = value
        if len(self._items) > self.capacity:
            self._items.popitem(last=False)
            self.stats.evictions += 1

    def delete(self, key: K) -> bool:
        if key not in self._items:
            return False
        del self._items[key]
        return True

    def clear(self) -> None:
        self._items.clear()
        self.stats = CacheStats()


def main() -> None:
    cache: LRUCache[str, int] = LRUCache(capacity=2)
    cache.put("one", 1)
    cache.put("two", 2)
    cache.get("one")
    cache.put("three", 3)
    print(f"items: {len(cache)}, hit rate: {cache.stats.hit_rate:.2f}")


if __name__ == "__main__":
    main()
