"""Carries out a `LineTask`: some lines at a place, in several lengths.

Job: the place as a hole that is typed into (`diffusion.filling` of one hole, which also quotes) and
as one of up to five lines (the same, in `SIZES`); a look at what comes back, and both in turn. A
small model likes to say again what stands around a hole, so a text whose every line stands there
is dropped, and so is one of nothing but comments where a body was asked for. Which one begins, and
what each is worth: lab notebook, 2026-11-27.

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
from diffusion.infill import Infiller
from diffusion.text.comments import marks_of
from diffusion.text.languages import canonical
from diffusion.text.line_tasks import LineTask

SIZES = (12, 24, 48)
"""Slots tried: about one line, two or three, five."""
_MOST_FILLS = 6
_NEAR_LINES = 5
_STARRED = rb"\*(?:\s|/|$)"  # a line of a block comment; `*p` is code


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
    asked = replace(request, text=task.text, holes=(task.hole,), alternatives=_MOST_FILLS)
    limit_ms = request.deadline_ms
    half_ms = None if limit_ms is None else limit_ms / 2
    typed = fill(infiller, replace(asked, deadline_ms=half_ms), cancel=cancel)
    left_ms = None if limit_ms is None else max(1.0, limit_ms - typed.ms)
    watch = None if on_draft is None else partial(_tell, on_draft, task)
    lines = fill(
        infiller, replace(asked, sizes=SIZES, deadline_ms=left_ms), cancel=cancel, on_draft=watch
    )
    both = (lines.fills, typed.fills) if task.code else (typed.fills, lines.fills)
    found = (found for found in chain(*zip_longest(*both)) if found is not None)
    fills = _told(task, found, canonical(request.language))
    return FillResult(
        fills=tuple(fills[: request.alternatives]),
        ms=(time.perf_counter() - started) * 1000,
        steps=typed.steps + lines.steps,
        reason=None if fills else lines.reason or "the model only repeated the lines around",
    )


def _told(task: LineTask, fills: Iterable[Fill], language: str) -> list[Fill]:
    """The fills that say something, each once, with what belongs around them: who shows one
    alone shows the first, so those that parse come before those that do not."""
    told: dict[str, Fill] = {}
    for found in sorted(fills, key=lambda fill: not fill.parses):
        text = _tidy(task, found.texts[0])
        if text.strip() and not _repeats(task, text, language):
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


def _repeats(task: LineTask, text: str, language: str) -> bool:
    """Whether `text` says nothing new: see the module."""
    start, end = task.hole
    above = task.text[:start].splitlines()[-_NEAR_LINES:]
    near = above + task.text[end:].splitlines()[:_NEAR_LINES]
    known = {line.strip() for line in near}
    lines = [line.strip().encode() for line in text.splitlines() if line.strip()]
    starred = b"(?!)" if language == "python" else _STARRED
    no_code = re.compile(rb"%b|%b|[\"']+$" % (marks_of(language), starred))
    if task.code and all(no_code.match(line) for line in lines):
        return True
    return all(line in known for line in lines)
