"""What the server asks of a model beyond completions and rewrites, and what it gets back.

Invariants: as in `engine.engine`: plain types, byte offsets, an empty answer carries a reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from diffusion.text.line_index import LineIndex

Span = tuple[int, int]
FillTask = Literal["holes", "bridge", "comment"]


@dataclass(frozen=True, slots=True)
class EngineDraft:
    """How far the byte ranges `holes` are: for each, text and numbers of open slots, in order.

    A number is 0 where it is not known yet. `done`: share of all slots that is filled, 0 to 1.
    """

    holes: tuple[Span, ...]
    pieces: tuple[tuple[str | int, ...], ...]
    done: float


OnDraft = Callable[[EngineDraft], None]
"""Called on the engine's thread after every step; must return at once and not raise."""


@dataclass(frozen=True, slots=True)
class EngineFillRequest:
    """Fill `holes` together, keeping `pins`; or, at byte `at`, bridge two blocks or write the
    body that a comment asks for. `elsewhere` and `repository`: as in `EngineRequest`."""

    text: bytes
    language: str
    task: FillTask = "holes"
    holes: tuple[Span, ...] = ()
    pins: tuple[Span, ...] = ()
    at: int = 0
    alternatives: int = 1
    deadline_ms: float | None = None
    elsewhere: tuple[bytes, ...] = ()
    repository: LineIndex | None = None


@dataclass(frozen=True, slots=True)
class EngineFill:
    """One text for each hole of the answer. `score`: geometric mean probability of the tokens."""

    texts: tuple[str, ...]
    score: float
    parses: bool = True


@dataclass(frozen=True, slots=True)
class EngineFillAnswer:
    """Fills, best first; `holes` are the byte ranges that their texts replace."""

    fills: tuple[EngineFill, ...]
    holes: tuple[Span, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class EngineAlternativesRequest:
    """Other tokens at byte `at` of `candidate`, a text for bytes `[start, end)`."""

    text: bytes
    start: int
    end: int
    language: str
    candidate: bytes
    at: int
    count: int = 3
    deadline_ms: float | None = None


@dataclass(frozen=True, slots=True)
class EngineAlternative:
    """Another token, its probability, and the candidate with it, denoised again around it."""

    token: str
    p: float
    text: str
    score: float
    parses: bool = True


@dataclass(frozen=True, slots=True)
class EngineAlternativesAnswer:
    """`token` and `p`: what stands there now."""

    token: str
    p: float
    alternatives: tuple[EngineAlternative, ...]
    reason: str | None = None
