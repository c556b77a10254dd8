"""What the facade is asked, and what it answers. Plain values; no model is known here."""

from __future__ import annotations

from dataclasses import dataclass

from diffusion.candidates import Candidate
from diffusion.text.hole import Hole
from diffusion.text.line_index import LineIndex

PREDICTED = "predicted"


@dataclass(frozen=True, slots=True)
class InfillRequest:
    """What to fill. `cursor` is a byte offset into `text` (UTF-8 when it is a str).

    `language` is a name, an editor's language id or a grammar such as "tsx".
    `length` is "predicted" (sizes from the length table) or a number of slots, of which `exact`
    says that all of them hold text. At `deadline_ms`
    after the call the best so far is returned. `elsewhere`: other documents that may be quoted,
    the nearest first. `repository`: the lines of other files, which may be quoted, too. `repair`:
    mask again and denoise again what does not parse. `at_once`: where quotes are as good as the
    model, answer with them alone (`first_look`). `in_haste`: quicker and nearly as
    good: in each pass read what changed since the one before (`model.kept_slots`), of the context
    little more than the lines just above (`text.near_lines`), and write the largest canvas only.
    `least_p`: the model leaves a text where it is less probable than this; it is offered for its
    start, with a score of 0.
    `within_line`: before code at the start of a line no line of its own is meant
    (`implied_newline`).
    """

    text: str | bytes
    cursor: int
    language: str
    length: str | int = PREDICTED
    alternatives: int = 3
    deadline_ms: float | None = None
    exact: bool = False
    elsewhere: tuple[bytes, ...] = ()
    repository: LineIndex | None = None
    repair: bool = False
    at_once: bool = False
    in_haste: bool = False
    least_p: float = 0.0
    within_line: bool = False


@dataclass(frozen=True, slots=True)
class InfillResult:
    """Candidates, best first. `reason` says why there are none.

    `at_once`: they are quotes, and the model was not asked. `context_read`: how many tokens of the
    context had to be encoded for it.
    """

    candidates: tuple[Candidate, ...]
    hole: Hole
    ms: float
    steps: int
    context_cached: bool
    reason: str | None = None
    at_once: bool = False
    context_read: int = 0
