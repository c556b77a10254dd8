"""The decision trail of a request: stages with times, candidates with their fate, the outcome.

Invariants: every request leaves one trace, also a cancelled one; a trace that shows nothing has
a reason; no trace holds source text, only counts, offsets and names.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lsp_server.reasons import SENTENCES, Reason

KEPT_TRACES = 50


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline and how long it took."""

    name: str
    ms: float


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one candidate: shown, or dropped by a filter and why."""

    score: float
    characters: int
    lines: int
    dropped_by: str | None = None
    why: str | None = None
    quoted: bool = False


@dataclass(slots=True)
class Trace:
    """One request, filled in as it goes through the pipeline."""

    method: str
    uri: str
    version: int | None = None
    line: int = 0
    character: int = 0
    automatic: bool = False
    language: str = ""
    stages: list[Stage] = field(default_factory=list)
    fates: list[Fate] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    reason: Reason | None = None
    note: str = ""
    shown: int = 0
    ms: float = 0.0
    _begun: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, also when it raises."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.stages.append(Stage(name, 1000 * (time.perf_counter() - begun)))

    def nothing(self, reason: Reason, note: str = "") -> None:
        """Nothing is shown, for a reason; the first reason stays."""
        if self.reason is None:
            self.reason, self.note = reason, note

    def end(self, shown: int) -> None:
        """The request was answered with so many items."""
        self.shown = shown
        self.ms = 1000 * (time.perf_counter() - self._begun)

    @property
    def message(self) -> str:
        """The outcome in one sentence."""
        if self.reason is None:
            return f"{self.shown} shown"
        sentence = SENTENCES[self.reason]
        return f"{sentence}: {self.note}" if self.note else sentence

    def summary(self) -> str:
        """One line for the log."""
        times = " ".join(f"{stage.name}={stage.ms:.0f}ms" for stage in self.stages)
        why = self.reason.value if self.reason else "-"
        return (
            f"{self.method} {self.language or '?'} {self.line}:{self.character} "
            f"shown={self.shown} reason={why} {times} total={self.ms:.0f}ms"
        )

    def to_json(self) -> dict[str, Any]:
        """What `diffill/explainLast` answers."""
        return {
            "method": self.method,
            "uri": self.uri,
            "version": self.version,
            "position": {"line": self.line, "character": self.character},
            "automatic": self.automatic,
            "language": self.language,
            "shown": self.shown,
            "reason": self.reason.value if self.reason else None,
            "message": self.message,
            "ms": round(self.ms, 1),
            "stages": [{"name": s.name, "ms": round(s.ms, 1)} for s in self.stages],
            "candidates": [
                {
                    "score": round(fate.score, 4),
                    "characters": fate.characters,
                    "lines": fate.lines,
                    "quoted": fate.quoted,
                    "droppedBy": fate.dropped_by,
                    "why": fate.why,
                }
                for fate in self.fates
            ],
            **self.facts,
        }


class TraceRing:
    """The traces of the last requests, newest last."""

    def __init__(self, size: int = KEPT_TRACES) -> None:
        self._traces: deque[Trace] = deque(maxlen=size)

    def add(self, trace: Trace) -> Trace:
        self._traces.append(trace)
        return trace

    def last(self, uri: str | None = None) -> Trace | None:
        """The newest trace, of one document if given."""
        for trace in reversed(self._traces):
            if uri is None or trace.uri == uri:
                return trace
        return None

    def latencies_ms(self) -> list[float]:
        """Total times of the requests that showed something, oldest first."""
        return [trace.ms for trace in self._traces if trace.shown]
