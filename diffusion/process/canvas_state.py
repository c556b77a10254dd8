"""What goes into the sampler, what comes out, and what it shows on the way. Immutable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from diffusion.errors import SamplerError
from diffusion.process.unmasking import Proposals
from diffusion.text.tokenizer import MASK, PAD

Reason = Literal["ended", "full", "deadline", "max_steps", "constraint", "outrun", "unsure"]
"""Why a row stopped: a DEL ended it; every slot was filled; time or steps ran out; the
constraint cannot be spelled in the slots there are; a finished row left it too far behind; what
it holds is less probable than is of use.
The first two are finished rows."""


@dataclass(frozen=True, slots=True)
class CanvasState:
    """One canvas to fill: pins, masked slots, perhaps already filled slots.

    `pins`: how many leading tokens are fixed, or one bool per token. A pin is never changed.
    `constraint`: bytes that the masked slots, from the leftmost, must spell first.
    `temperature`: overrides the config's, so that one batch may hold a greedy row and bolder
    alternatives.
    `ends_early`: whether DEL may end it before its last slot. Not, where its length is known.
    `allow_empty`: overrides the config's, likewise.
    `forks`: at most so many rows are split off it, where the model is in two minds (see
    `SamplerConfig.fork_nats`). Only where the temperature is 0.
    """

    ids: tuple[int, ...]
    pins: int | tuple[bool, ...] = 0
    constraint: bytes = b""
    temperature: float | None = None
    ends_early: bool = True
    allow_empty: bool | None = None
    forks: int = 0

    def __post_init__(self) -> None:
        if not self.ids:
            raise SamplerError("a canvas has no tokens", fix="give it at least one slot")
        if PAD in self.ids:
            raise SamplerError("a canvas holds PAD", fix="leave padding to the sampler")
        if isinstance(self.pins, int):
            if not 0 <= self.pins <= len(self.ids):
                raise SamplerError(
                    f"a canvas of {len(self.ids)} tokens cannot have {self.pins} leading pins",
                    fix="pin only what is on the canvas",
                )
        elif len(self.pins) != len(self.ids):
            raise SamplerError(
                f"{len(self.pins)} pin flags do not match a canvas of {len(self.ids)} tokens",
                fix="give one flag per token",
            )
        if any(token == MASK and pin for token, pin in zip(self.ids, self.pinned, strict=True)):
            raise SamplerError("a pin is masked", fix="pin only tokens with text")

    @property
    def pinned(self) -> tuple[bool, ...]:
        """One flag per token."""
        if isinstance(self.pins, int):
            return tuple(i < self.pins for i in range(len(self.ids)))
        return self.pins


@dataclass(frozen=True, slots=True)
class CanvasResult:
    """One canvas after sampling.

    `ids` is as long as the canvas was and holds no MASK: what was left open when time or
    steps ran out is cut, that is, DEL from the first open slot on (pins excepted).
    `token_p`: probability with which each slot was committed, given what was allowed there;
    1 for pins and slots filled beforehand, 0 for what was cut. Slots right of the first DEL
    carry that DEL's probability.
    `mean_log_p`: mean over the committed slots, the first DEL included; nats. 0 if there was
    nothing to fill, minus infinity if nothing was filled. Not calibrated for length.
    `constraint_met`: whether the slots spell the whole constraint. If not, the row is of no use.
    """

    ids: tuple[int, ...]
    token_p: tuple[float, ...]
    mean_log_p: float
    steps: int
    finished: bool
    reason: Reason
    constraint_met: bool

    @property
    def late(self) -> bool:
        """Whether time or steps ran out first."""
        return self.reason in ("deadline", "max_steps")


@dataclass(frozen=True, slots=True)
class Commit:
    """One slot filled in a step. `DEL` here is the first one, not those it implies."""

    slot: int
    token: int
    p: float


@dataclass(frozen=True, slots=True)
class StepSnapshot:
    """All rows after a step, for drawing the unmasking.

    Indices are those of the canvases; rows that were split off stand behind them.
    """

    step: int
    ids: tuple[tuple[int, ...], ...]
    committed: tuple[tuple[Commit, ...], ...]
    proposals: tuple[Proposals | None, ...]
    """What the model proposed in this step; None for a row that took no part."""
    remasked: tuple[tuple[int, ...], ...]
    """Slots masked again after this step's re-scoring pass."""
    parents: tuple[int, ...] = ()
    """The row that each row behind the canvases was split off."""
