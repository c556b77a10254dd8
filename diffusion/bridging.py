"""Carries out a `LineTask`: some lines at a place, in several lengths.

Job: the place as a hole of up to five lines (`diffusion.filling`) and as one that is typed into
(`diffusion.infill`, which also quotes); a look at what comes back, and both in turn. A small model
likes to say again what stands around a hole, so a text whose every line stands there is dropped,
and so is one of nothing but comments where a body was asked for. Which one begins, and what each
is worth: lab notebook, 2026-11-27.

Invariant: the texts that come back replace `[task.start, task.end)` of the document.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import chain, zip_longest

from diffusion.cancel import CancelToken
from diffusion.drafts import Draft, OnDraft, joined
from diffusion.filling import Fill, FillRequest, FillResult, fill
from diffusion.infill import Infiller, InfillRequest
from diffusion.text.line_tasks import LineTask

SIZES = (12, 24, 48)
"""Slots tried: about one line, two or three, five."""
_MOST_FILLS = 6
_NEAR_LINES = 5
_NO_CODE = re.compile(r"#(?!\[)(?!include)|//|/\*|\*|[\"']+$")


def carry_out(
    infiller: Infiller,
    task: LineTask,
    request: FillRequest,
    *,
    cancel: CancelToken | None = None,
    on_draft: OnDraft | None = None,
) -> FillResult:
    """Fill a task; texts and drafts are of `[task.start, task.end)`. Raises as `fill` does."""
    started = time.perf_counter()
    typed = _typed(infiller, task, request, cancel)
    left_ms = request.deadline_ms
    if left_ms is not None:
        left_ms = max(1.0, left_ms - (time.perf_counter() - started) * 1000)
    asked = replace(
        request, text=task.text, holes=(task.hole,), sizes=SIZES, alternatives=_MOST_FILLS,
        deadline_ms=left_ms,
    )  # fmt: skip
    watch = None if on_draft is None else partial(_tell, on_draft, task)
    result = fill(infiller, asked, cancel=cancel, on_draft=watch)
    both = (result.fills, typed.fills) if task.code else (typed.fills, result.fills)
    fills = _told(task, (found for found in chain(*zip_longest(*both)) if found is not None))
    reason = result.reason or (None if fills else "the model only repeated the lines around")
    return FillResult(
        fills=tuple(fills[: request.alternatives]),
        ms=(time.perf_counter() - started) * 1000,
        steps=typed.steps + result.steps,
        reason=None if fills else reason,
    )


def _typed(
    infiller: Infiller, task: LineTask, request: FillRequest, cancel: CancelToken | None
) -> FillResult:
    """What would be offered to somebody who types there."""
    start, end = task.hole
    asked = InfillRequest(
        task.text[:start] + task.text[end:], start, request.language,
        alternatives=_MOST_FILLS,
        deadline_ms=None if request.deadline_ms is None else request.deadline_ms / 2,
        elsewhere=request.elsewhere, repository=request.repository,
    )  # fmt: skip
    result = infiller.infill(asked, cancel=cancel)
    found = result.candidates if (result.hole.start, result.hole.end) == (start, start) else ()
    fills = tuple(Fill((c.text,), c.score, (c.tokens,), c.parses) for c in found)
    return FillResult(fills, result.ms, result.steps, result.reason)


def _told(task: LineTask, fills: Iterable[Fill]) -> list[Fill]:
    """The fills that say something, each once, with what belongs around them."""
    told: dict[str, Fill] = {}
    for found in fills:
        text = _tidy(task, found.texts[0])
        if text.strip() and not _repeats(task, text):
            told.setdefault(text.strip(), replace(found, texts=(task.before + text + task.after,)))
    return list(told.values())


def _tell(on_draft: OnDraft, task: LineTask, draft: Draft) -> None:
    """A draft of the task's hole, with what stands around it in the range that is replaced."""
    whole = joined([task.before, *draft.holes[0], task.after])
    on_draft(replace(draft, holes=(whole,)))


def _tidy(task: LineTask, text: str) -> str:
    """Without blank ends; the first line keeps its indentation if the hole begins the line."""
    begins_line = task.text[task.hole[0] - 1 : task.hole[0]] in (b"", b"\n")
    return text.rstrip().lstrip("\r\n") if begins_line else text.strip()


def _repeats(task: LineTask, text: str) -> bool:
    """Whether `text` says nothing new: see the module."""
    start, end = task.hole
    above = task.text[:start].splitlines()[-_NEAR_LINES:]
    near = above + task.text[end:].splitlines()[:_NEAR_LINES]
    known = {line.strip() for line in near}
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if task.code and all(_NO_CODE.match(line) for line in lines):
        return True
    return all(line.encode() in known for line in lines)
