"""One row of the batch while it is being sampled: the only mutable state of the sampler.

The rules of a canvas live here, so that no order and no model can break them:
- A pin never changes. A filled slot changes only by `remask`, which takes it back first.
- DEL may be committed only on a canvas that may end early, at the leftmost masked slot (all to
  its left is then filled), not while the constraint is pending, not before there is visible text
  beyond the constraint if the row may not be empty, and not left of a slot that already holds a
  token: such a slot says the hole goes on. It is broadcast to every later slot at once, which
  ends the row. Likewise the last slot of a row that may not be empty takes no blank token if it
  would be.
- While the constraint is pending, only the leftmost masked slot may be filled, and only by a
  token that goes on spelling it.
"""

from __future__ import annotations

import copy
import math

import torch

from diffusion.errors import SamplerError
from diffusion.process.canvas_state import CanvasResult, CanvasState, Commit, Reason
from diffusion.process.vocabulary import Vocabulary
from diffusion.text.tokenizer import DEL, MASK


class Row:
    """The working state of one canvas."""

    def __init__(
        self, index: int, canvas: CanvasState, *, allow_empty: bool, temperature: float, seed: int
    ) -> None:
        self.index = index
        self.ids = list(canvas.ids)
        self.pinned = canvas.pinned
        self.masked = [slot for slot, token in enumerate(canvas.ids) if token == MASK]
        self.constraint = canvas.constraint
        self.temperature = temperature
        self.forks = 0 if temperature > 0 else canvas.forks
        self.steps = 0
        self.reason: Reason | None = None
        self._seed = seed
        self._generator: torch.Generator | None = None
        self._allow_empty = allow_empty
        self._ends_early = canvas.ends_early
        self._had_slots = bool(self.masked)
        self._log_p: dict[int, float] = {}
        self._constrained: set[int] = set()
        self._adds_nothing: set[int] = set()
        self._before_remask: tuple[list[int], dict[int, float]] | None = None
        self._last_token = self._find_last_token()
        self._ended_at: int | None = None
        self._cut_at: int | None = None
        if not self.masked:
            self._close()

    def twin(self, index: int) -> Row:
        """The row once more as it stands, under another index and with no forks of its own left."""
        twin = copy.copy(self)
        twin.index, twin.forks = index, 0
        twin.ids, twin.masked = list(self.ids), list(self.masked)
        twin._log_p = dict(self._log_p)
        twin._constrained, twin._adds_nothing = set(self._constrained), set(self._adds_nothing)
        return twin

    @property
    def generator(self) -> torch.Generator:
        """The row's own randomness: other rows, or their absence, do not change its draws."""
        if self._generator is None:
            self._generator = torch.Generator().manual_seed(self._seed)
        return self._generator

    def window(self, size: int | None) -> list[int]:
        """The masked slots worth looking at, from the left."""
        if self.constraint:
            return self.masked[:1]
        return self.masked[:size]

    def may_end(self, slot: int) -> bool:
        """Whether DEL may be committed at `slot`. See the module's rules."""
        if not self._ends_early or not self.masked:
            return False
        if slot != self.masked[0] or self.constraint:
            return False
        if not self._allow_empty and not self._adds_text():
            return False
        return slot > self._last_token

    @property
    def sum_log_p(self) -> float:
        """Log-probability (nats) of what was committed so far, a DEL included; 0 at the start."""
        return sum(self._log_p.values())

    def must_show(self) -> bool:
        """Whether the last masked slot has to hold visible text, for the row would be empty."""
        return (
            not self._allow_empty
            and len(self.masked) == 1
            and not self.constraint
            and not self._adds_text()
        )

    def _find_last_token(self) -> int:
        """The last slot that is no pin and holds text; -1 if there is none."""
        for slot in range(len(self.ids) - 1, -1, -1):
            if not self.pinned[slot] and self.ids[slot] not in (MASK, DEL):
                return slot
        return -1

    def _adds_text(self) -> bool:
        return any(self.ids[s] != DEL and s not in self._adds_nothing for s in self._log_p)

    def spellings(self, vocabulary: Vocabulary) -> list[int] | None:
        """Tokens allowed at the leftmost masked slot by the constraint; None for all.

        Where slots are scarce, only tokens after which the rest can still be spelled (and, in a
        row that may not be empty, something be added to it), if there are any.
        """
        if not self.constraint:
            return None
        finishing = vocabulary.completing(self.constraint)
        beginning = vocabulary.beginning(self.constraint)
        left = len(self.masked) - 1
        if left > len(self.constraint):
            return finishing + beginning
        needed = vocabulary.least_tokens(self.constraint)
        spelled = vocabulary.token_bytes
        wanting = 0 if self._allow_empty else 1
        fitting = [t for t in beginning if needed[len(spelled[t])] <= left - wanting]
        fitting += [
            t for t in finishing if left >= wanting or spelled[t][len(self.constraint) :].strip()
        ]
        return fitting or finishing or beginning

    def commit(self, slot: int, token: int, log_p: float, vocabulary: Vocabulary) -> Commit:
        """Fill a masked slot. Ends the row if that was the last one, or if it is DEL.

        Raises:
            SamplerError: the commit would break a rule of the canvas; a bug in the caller.
        """
        if self.ids[slot] != MASK or self.pinned[slot] or token == MASK:
            raise SamplerError(
                f"slot {slot} may not be set to id {token}", fix="report this as a bug in Diffill"
            )
        if token == DEL:
            if not self.may_end(slot):
                raise SamplerError(
                    f"DEL may not be set at slot {slot}", fix="report this as a bug in Diffill"
                )
            self._ended_at = slot
            self._delete_from(slot)
            self._log_p = {s: p for s, p in self._log_p.items() if s < slot}
            self.reason = "ended"
        else:
            self.ids[slot] = token
            self.masked.remove(slot)
            self._last_token = max(self._last_token, slot)
            spelled = vocabulary.token_bytes[token]
            if not spelled[len(self.constraint) :].strip():
                self._adds_nothing.add(slot)
            if self.constraint:
                self._constrained.add(slot)
                self.constraint = self.constraint[len(spelled) :]
            if not self.masked:
                self._close()
        self._log_p[slot] = log_p
        return Commit(slot, token, math.exp(log_p))

    def _close(self) -> None:
        if self.constraint:
            self.reason = "constraint"
        else:
            self.reason = "full" if self._ended_at is None else "ended"

    def cut(self, reason: Reason) -> None:
        """Give up the slots still masked: the row's text ends before the first of them.

        Slots further right that were already filled are given up too, for the text would have
        a gap. Pins stay. A row that was complete before `remask` gets that text back instead.
        """
        if self._before_remask is not None:
            self.ids, self._log_p = self._before_remask
            self.masked = []
            self._close()
            return
        if self.masked:
            self._cut_at = self.masked[0]
            self._delete_from(self.masked[0])
            self._log_p = {s: p for s, p in self._log_p.items() if s < self._cut_at}
        self.reason = reason

    def _delete_from(self, slot: int) -> None:
        for later in range(slot, len(self.ids)):
            if not self.pinned[later]:
                self.ids[later] = DEL
        self.masked.clear()

    def revisable(self) -> list[int]:
        """Slots that re-scoring may take back: committed here, not DEL, not the constraint's."""
        return [
            slot
            for slot in sorted(self._log_p)
            if self.ids[slot] != DEL and slot not in self._constrained
        ]

    def p(self, slot: int) -> float:
        """Probability with which `slot` was committed."""
        return math.exp(self._log_p[slot])

    def remask(self, slots: list[int]) -> None:
        """Take committed slots back; the row is open again. The DELs found so far stay."""
        self._before_remask = (list(self.ids), dict(self._log_p))
        for slot in slots:
            self.ids[slot] = MASK
            self._adds_nothing.discard(slot)
            del self._log_p[slot]
        self._last_token = self._find_last_token()
        self.masked = sorted({*self.masked, *slots})
        self.reason = None

    def result(self) -> CanvasResult:
        """The row as it stands. Call it when the row has a reason."""
        assert self.reason is not None
        token_p = [
            math.exp(self._log_p[s]) if s in self._log_p else 1.0 for s in range(len(self.ids))
        ]
        tail = self._ended_at if self._cut_at is None else self._cut_at
        if tail is not None:
            tail_p = token_p[tail] if self._cut_at is None else 0.0
            for slot in range(tail, len(self.ids)):
                if not self.pinned[slot]:
                    token_p[slot] = tail_p
        if self._log_p:
            mean_log_p = sum(self._log_p.values()) / len(self._log_p)
        else:
            mean_log_p = -math.inf if self._had_slots else 0.0
        return CanvasResult(
            ids=tuple(self.ids),
            token_p=tuple(token_p),
            mean_log_p=mean_log_p,
            steps=self.steps,
            finished=self.reason in ("ended", "full"),
            reason=self.reason,
            constraint_met=not self.constraint,
        )
