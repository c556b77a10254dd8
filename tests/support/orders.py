"""An unmasking order as unlike the ones that serve as can be, for what must hold of any order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from diffusion.process.unmasking import Proposals


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Slots in random order, the same ones for the same seed and proposals."""

    seed: int = 0
    window: int | None = None
    entropy_above: float = 1.0

    def choose(self, proposals: Proposals, quota: int) -> list[int]:
        rng = Random(hash((self.seed, proposals.slots)))
        return rng.sample(proposals.slots, min(quota, len(proposals.slots)))
