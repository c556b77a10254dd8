"""Holes that were filled together are made to agree: every hole is offered what the others say.

Job: after the drafts. For each part in turn the model judges some texts, with the text of the
other parts in view (`process.judging` over a joint step): what the drafts wrote there, the first
word and the first line of these, and what the other parts say now. The best one takes its place.
A canvas of a draft has to choose its length and its name at once, and before the others are known;
here a name that fits both places wins in both.

Invariants: a text is chosen that parses, if there is one; a part whose texts are all worse keeps
its own; two rounds at most.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from diffusion.cancel import CancelToken
from diffusion.infill import Infiller
from diffusion.open_parts import OpenParts
from diffusion.process.denoiser import Denoise
from diffusion.process.joint import JointDenoise
from diffusion.process.judging import FilledCanvas, Judgement, judge
from diffusion.site import Site, adds_no_error
from diffusion.text.canvas import MAX_CANVAS, Placement, constrained_slots
from diffusion.text.line_ends import with_line_ends
from diffusion.text.parse_allowance import ParseAllowance
from diffusion.text.parts import Part
from diffusion.text.syntax import SyntaxTree
from diffusion.text.tokenizer import PAD

ROUNDS = 2
BATCH = 4
"""Texts judged at once: between two batches a cancel is heard."""
MOST_TEXTS = 10
"""Texts judged for one part in a round: two rows each, with the other parts beside them."""
LONGEST_TEXT = 24
"""Slots of a text that is offered to another part."""
LENGTH_WEIGHT = 0.1
"""Of the log-prior of a part's length beside its mean log-probability, as in `ranking`."""
_FIRST_WORD = re.compile(rb"\s*[\w\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class AgreedPart:
    """A text for a part: its slots, and their log-probabilities (nats) with the others in view."""

    text: bytes
    slots: tuple[int, ...]
    log_p: tuple[float, ...]
    end_log_p: float
    prior: float

    @property
    def value(self) -> float:
        """Mean log-probability, the end included, and a share of the length's."""
        count = len(self.slots) + 1
        return (sum(self.log_p) + self.end_log_p) / count + LENGTH_WEIGHT * self.prior


@dataclass(frozen=True, slots=True)
class Setting:
    """What is being filled: the document, its parts, and their kinds of hole.

    `allowance`: the time that all their texts may be looked at for syntax errors.
    """

    data: bytes
    tree: SyntaxTree
    language: str
    parts: tuple[Part, ...]
    kinds: tuple[str, ...]
    allowance: ParseAllowance = field(default_factory=ParseAllowance)

    def parse_with(self, texts: Sequence[bytes], cancel: CancelToken) -> bool:
        """Whether the document parses no worse with these texts in its parts, see `site`.

        Raises Cancelled.
        """
        cancel.raise_if_cancelled()
        first, last = self.parts[0].start, self.parts[-1].end
        whole, at = bytearray(), first
        for part, text in zip(self.parts, texts, strict=True):
            whole += self.data[at : part.start] + text
            at = part.end
        site = Site(
            self.tree, self.data, first, last, self.language, "inline", allowance=self.allowance
        )
        return adds_no_error(site, bytes(whole))


def agree(
    infiller: Infiller,
    opened: OpenParts,
    setting: Setting,
    drafts: Sequence[Sequence[bytes]],
    cancel: CancelToken,
    deadline_s: float | None = None,
    row_s: float = 0.0,
) -> tuple[list[AgreedPart], int] | None:
    """A text for every part, and how many passes that took.

    None if a part has no text that fits, or if not every part can be looked at once before
    `deadline_s`, a time of `time.perf_counter`; later rounds end there with what has been agreed.
    `drafts`: texts of the parts, the best draft first. `row_s`: about how long the model takes for
    all parts of one draft.
    """
    current = list(drafts[0])
    agreed: list[AgreedPart | None] = [None] * len(current)
    passes, pass_s = 0, 2 * MOST_TEXTS * row_s
    for _ in range(ROUNDS):
        before = list(current)
        for number in range(len(current)):
            cancel.raise_if_cancelled()
            begun_s = time.perf_counter()
            if deadline_s is not None and begun_s + pass_s > deadline_s:
                return _whole(agreed, passes)
            texts = _texts(number, current, drafts)
            found = _judged(infiller, opened, setting, number, current, texts, cancel)
            if not found:
                return None
            passes += 1
            pass_s = time.perf_counter() - begun_s

            def key(part: AgreedPart, number: int = number) -> tuple[bool, float]:
                tried = [*current[:number], part.text, *current[number + 1 :]]
                return setting.parse_with(tried, cancel), part.value

            best = max(found, key=key)
            current[number], agreed[number] = best.text, best
        if current == before:
            break
    return _whole(agreed, passes)


def _whole(agreed: Sequence[AgreedPart | None], passes: int) -> tuple[list[AgreedPart], int] | None:
    """What has been agreed, if every part has been looked at."""
    found = [part for part in agreed if part is not None]
    return (found, passes) if len(found) == len(agreed) else None


def _texts(number: int, current: Sequence[bytes], drafts: Sequence[Sequence[bytes]]) -> list[bytes]:
    """What part `number` may say, the current text first; each once."""
    whole = [current[number], *(draft[number] for draft in drafts)]
    others = [text for other, text in enumerate(current) if other != number]
    found: dict[bytes, None] = {}
    for text in [*whole, *others]:
        found.setdefault(text)
    for text in [*whole, *others]:
        word = _FIRST_WORD.match(text)
        if word is not None:
            found.setdefault(word[0])
        found.setdefault(text.partition(b"\n")[0].rstrip())
    return [text for text in found if text.strip()][:MOST_TEXTS]


def _judged(
    infiller: Infiller,
    opened: OpenParts,
    setting: Setting,
    number: int,
    current: Sequence[bytes],
    texts: Sequence[bytes],
    cancel: CancelToken,
) -> list[AgreedPart]:
    placement = opened.placements[number]
    room = MAX_CANVAS - len(placement.pins)
    fitting: list[tuple[bytes, FilledCanvas]] = []
    for text in texts:
        slots = _slots(infiller, placement, text)
        if 0 < len(slots) < room and (len(slots) <= LONGEST_TEXT or text == current[number]):
            known = constrained_slots(infiller.tokenizer, slots, placement.constraint)
            given = min(known, len(slots) - 1)
            fitting.append((text, FilledCanvas(placement.pins, slots, 1, given)))
    if not fitting:
        return []
    beside = {
        other: [*place.pins, *_slots(infiller, place, current[other])][:MAX_CANVAS]
        for other, place in enumerate(opened.placements)
        if other != number
    }
    step = with_others(opened.denoise, number, beside)
    judged: list[Judgement] = []
    for first in range(0, len(fitting), BATCH):
        cancel.raise_if_cancelled()
        canvases = [canvas for _, canvas in fitting[first : first + BATCH]]
        judged += judge(step, canvases, infiller.vocabulary)
    return [
        AgreedPart(
            text=with_line_ends(text, setting.data),
            slots=canvas.text,
            log_p=(0.0,) * canvas.given + said.log_p,
            end_log_p=said.end_log_p,
            prior=infiller.lengths.prior(setting.language, setting.kinds[number], len(canvas.text)),
        )
        for (text, canvas), said in zip(fitting, judged, strict=True)
    ]


def _slots(infiller: Infiller, placement: Placement, text: bytes) -> tuple[int, ...]:
    """As the model writes: newlines alone."""
    return placement.slots_needed(infiller.tokenizer, text.replace(b"\r\n", b"\n"))


def with_others(denoise: JointDenoise, hole: int, beside: dict[int, list[int]]) -> Denoise:
    """A step over canvases of one hole, each of which sees the same text in the others."""

    def step(
        ids_BN: torch.Tensor, lengths_B: torch.Tensor, wanted_BN: torch.Tensor, /
    ) -> torch.Tensor:
        rows = [r[:n] for r, n in zip(ids_BN.tolist(), lengths_B.tolist(), strict=True)]
        holes, drafts = [hole] * len(rows), list(range(len(rows)))
        for draft in range(len(rows)):
            for other, ids in beside.items():
                rows.append(ids)
                holes.append(other)
                drafts.append(draft)
        longest = max(map(len, rows))
        wider = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
        wanted = torch.zeros(wider.shape, dtype=torch.bool)
        wanted[: len(ids_BN), : ids_BN.shape[1]] = wanted_BN
        lengths = torch.tensor([len(row) for row in rows])
        return denoise(wider, lengths, wanted, torch.tensor(holes), torch.tensor(drafts))

    return step
