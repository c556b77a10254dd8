"""Unmasking orders: given what the model proposes for the masked slots, which to commit now.

An `Order` is a pure function of one row's `Proposals`. It never sees tokens, only how sure the
model is: what may stand where is the sampler's business. Rows are small (at most a window of
slots), so plain floats are faster here than tensors.

`LeftmostFirst` is the default. Committing from the left keeps the filled part one piece, which
is what half of the training reveals look like and what can be shown at any deadline; the
left frontier was as good as the global confidence order in DreamOn's replication, and several
commits per step cost quality unless the model is nearly certain (research 4.4 and finding 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from diffusion.errors import SamplerError


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the model proposes for the masked slots of one row. Parallel, in slot order.

    `slots[0]` is always the leftmost masked slot. Slots where the model proposes to end the
    hole, but may not yet, are left out.
    """

    slots: tuple[int, ...]
    p: tuple[float, ...]
    """Probability of the proposed token."""
    entropy: tuple[float, ...]
    """Entropy in nats; infinite where `p` is not above the order's `entropy_above`."""


class Order(Protocol):
    """Chooses slots to commit.

    `window`: how many of the leftmost masked slots it wants to see; None for all.
    `entropy_above`: entropies are worked out only for proposals with p above this.
    """

    @property
    def window(self) -> int | None: ...

    @property
    def entropy_above(self) -> float: ...

    def choose(self, proposals: Proposals, quota: int) -> list[int]:
        """Slots to commit, most wanted first: at least `quota` of them, or all there are.

        `quota` is at least 1. The first `quota` are committed whatever the guards say of the
        proposed token (another is taken then); the rest only if the guards let them.
        """
        ...


@dataclass(frozen=True, slots=True)
class LeftmostFirst:
    """The leftmost masked slot, and up to `max_extra` more that are nearly certain.

    Extras need p above `extra_p` and together no more than `entropy_budget` nats (None: no
    bound). With `contiguous` they must follow the leftmost slot without a break; without, the
    most certain of the window are taken, wherever they are.
    """

    extra_p: float = 0.95
    max_extra: int = 3
    entropy_budget: float | None = 0.2
    contiguous: bool = True
    scattered_window: int = 8

    @property
    def window(self) -> int | None:
        return 1 + self.max_extra if self.contiguous else self.scattered_window

    @property
    def entropy_above(self) -> float:
        return 1.0 if self.entropy_budget is None else self.extra_p

    def choose(self, proposals: Proposals, quota: int) -> list[int]:
        ranked = list(range(1, len(proposals.slots)))
        if not self.contiguous:
            ranked.sort(key=lambda i: -proposals.p[i])
        chosen = [0]
        spent = 0.0
        for i in ranked[: self.max_extra]:
            if self.contiguous and proposals.slots[i] != proposals.slots[i - 1] + 1:
                break
            if not proposals.p[i] > self.extra_p:
                break
            if self.entropy_budget is not None:
                spent += proposals.entropy[i]
                if spent > self.entropy_budget:
                    break
            chosen.append(i)
        chosen += [i for i in range(1, len(proposals.slots)) if i not in chosen][
            : max(0, quota - len(chosen))
        ]
        return [proposals.slots[i] for i in chosen]


@dataclass(frozen=True, slots=True)
class Confidence:
    """The `k` most probable proposals, and every one with p above `threshold`."""

    k: int = 1
    threshold: float | None = None
    window: int | None = None
    entropy_above: float = 1.0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise SamplerError(f"Confidence(k={self.k}) would never commit", fix="use k >= 1")

    def choose(self, proposals: Proposals, quota: int) -> list[int]:
        ranked = sorted(range(len(proposals.slots)), key=lambda i: -proposals.p[i])
        count = max(self.k, quota)
        if self.threshold is not None:
            count = max(count, sum(p > self.threshold for p in proposals.p))
        return [proposals.slots[i] for i in ranked[:count]]
