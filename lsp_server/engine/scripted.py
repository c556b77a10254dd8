"""An engine that answers from a script: for tests, editor tests and demos, with no model.

A script is a JSON object:

    {"answers": [{"before": "return ", "after": "", "language": "python", "replace": 0,
                  "candidates": [{"text": "a + b", "score": 0.9, "parses": true}],
                  "steps": 4, "reason": null, "error": null, "at_once": false}],
     "gated": false, "gate": null, "noise": "", "suspects": {"lenght": "length"},
     "load_error": null}

The first answer whose `before` ends the text left of the cursor, whose `after` begins the text
right of it and whose `language` matches is given; none: an empty answer. `replace` is how many
bytes after the cursor the hole takes. `error` raises instead. `at_once` is an answer without the
model, for requests that take one; it needs no step. With `gated`, every step waits for
a permit (`release`), so that a test decides when a step ends without sleeping. `gate` names a pipe
(`os.mkfifo`): the same, and every byte that is written to it is a permit, for tests that reach the
server only through an editor. A candidate may have `tokens`, pairs of a text and its probability.
`noise` is written to file descriptor 1 at every request, as a careless native library does.
`suspects` are words that score badly, each with the word that would score well.

Invariants: the same request gets the same answer; a set token stops the work at the next step.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffusion.cancel import Cancelled, CancelToken
from diffusion.errors import DiffillError
from diffusion.suspicion import Alternative, ScoredWord
from lsp_server.engine.engine import (
    EngineAnswer,
    EngineCandidate,
    EngineConfig,
    EngineRequest,
    EngineRewrite,
    EngineRewriteAnswer,
    EngineRewriteRequest,
    EngineScoreAnswer,
    EngineScoreRequest,
)
from lsp_server.engine.tasks import (
    EngineAlternative,
    EngineAlternativesAnswer,
    EngineAlternativesRequest,
    EngineDraft,
    EngineFill,
    EngineFillAnswer,
    EngineFillRequest,
    OnDraft,
    Span,
)
from lsp_server.engine.worker import WorkerEngine
from lsp_server.errors import ScriptError

EventListener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class ScriptedAnswer:
    """One rule of a script."""

    candidates: tuple[EngineCandidate, ...] = ()
    before: str = ""
    after: str = ""
    language: str = ""
    replace: int = 0
    steps: int = 1
    reason: str | None = None
    error: str | None = None
    at_once: bool = False

    def matches(self, request: EngineRequest) -> bool:
        if self.at_once and not request.at_once:
            return False
        before, after = request.text[: request.cursor], request.text[request.cursor :]
        return (
            before.endswith(self.before.encode())
            and after.startswith(self.after.encode())
            and self.language in ("", request.language)
        )


class ScriptedFiller:
    """A `Filler` that plays a script and counts what it did."""

    model = "scripted"

    def __init__(
        self,
        answers: tuple[ScriptedAnswer, ...],
        *,
        gated: bool = False,
        noise: str = "",
        suspects: Mapping[str, str] | None = None,
    ) -> None:
        self.answers = answers
        self.noise = noise
        self.suspects = dict(suspects or {})
        self.requests = 0
        self.steps = 0
        self.asked: EngineRequest | None = None
        self.prepared: list[EngineRequest] = []
        self.foreseen: list[EngineRequest] = []
        self.foresees = False
        """Whether it answers requests that may come; if not, it notes them only."""
        self._permits = threading.Semaphore(0) if gated else None
        self.on_event: EventListener | None = None

    def release(self, steps: int = 1) -> None:
        """Let a gated script take more steps."""
        if self._permits is not None:
            self._permits.release(steps)

    def infill(
        self,
        request: EngineRequest,
        cancel: CancelToken,
        encoding: CancelToken | None = None,
        on_step: Callable[[EngineAnswer, int], None] | None = None,
    ) -> EngineAnswer:
        """`on_step` hears after each step of the answer and of the number of the step."""
        self.requests += 1
        self.asked = request
        number = self.requests
        if self.noise:
            os.write(1, self.noise.encode())
        answer = next((a for a in self.answers if a.matches(request)), ScriptedAnswer())
        self._tell("start", number, 0)
        try:
            for step in range(0 if answer.at_once else answer.steps):
                if self._permits is not None:
                    self._permits.acquire()
                cancel.raise_if_cancelled()
                self.steps += 1
                if on_step is not None:
                    on_step(self._answered(request, answer), step + 1)
                self._tell("step", number, step + 1)
        finally:
            self._tell("end", number, self.steps)
        if answer.error is not None:
            raise DiffillError(answer.error)
        return self._answered(request, answer)

    def _answered(self, request: EngineRequest, answer: ScriptedAnswer) -> EngineAnswer:
        reason = answer.reason
        if not answer.candidates and reason is None:
            reason = "the script has no answer for this place"
        return EngineAnswer(
            candidates=answer.candidates[: max(request.alternatives, 1)],
            start=request.cursor,
            end=request.cursor + answer.replace,
            kind="scripted",
            steps=0 if answer.at_once else answer.steps,
            reason=reason,
            at_once=answer.at_once,
        )

    def rewrite(
        self,
        request: EngineRewriteRequest,
        cancel: CancelToken,
        on_draft: OnDraft | None = None,
    ) -> EngineRewriteAnswer:
        """The candidates of the answer for the selection's start, each as a rewrite."""
        at = EngineRequest(request.text, request.start, request.language, request.alternatives)
        watch = _watch(((request.start, request.end),), on_draft)
        answer = self.infill(at, cancel, on_step=watch)
        return EngineRewriteAnswer(
            tuple(EngineRewrite(c.text, c.score, request.strength) for c in answer.candidates),
            masked=1,
            reason=answer.reason,
        )

    def fill(
        self, request: EngineFillRequest, cancel: CancelToken, on_draft: OnDraft | None = None
    ) -> EngineFillAnswer:
        """The candidates for the first hole's start, or `at`; each one's text in every hole."""
        holes = request.holes or ((request.at, request.at),)
        at = EngineRequest(
            request.text, holes[0][0], request.language, request.alternatives,
            elsewhere=request.elsewhere, repository=request.repository,
        )  # fmt: skip
        answer = self.infill(at, cancel, on_step=_watch(holes, on_draft))
        fills = tuple(
            EngineFill((c.text,) * len(holes), c.score, c.parses) for c in answer.candidates
        )
        return EngineFillAnswer(fills, holes, answer.reason)

    def alternatives(
        self, request: EngineAlternativesRequest, cancel: CancelToken
    ) -> EngineAlternativesAnswer:
        """The candidates for the start of the range, each as an alternative of the first word."""
        at = EngineRequest(request.text, request.start, request.language, request.count)
        answer = self.infill(at, cancel)
        found = tuple(
            EngineAlternative((c.text.split() or [""])[0], c.score, c.text, c.score, c.parses)
            for c in answer.candidates
        )
        token = (request.candidate.decode().split() or [""])[0]
        return EngineAlternativesAnswer(token, 0.5, found, reason=answer.reason)

    def score(self, request: EngineScoreRequest, cancel: CancelToken) -> EngineScoreAnswer:
        """Every word has probability 0.5; those of `suspects` a tenth, with another at 0.9."""
        self.requests += 1
        number = self.requests
        self._tell("start", number, 0)
        try:
            if self._permits is not None:
                self._permits.acquire()
            cancel.raise_if_cancelled()
            self.steps += 1
        finally:
            self._tell("end", number, self.steps)
        text = request.text[request.start : request.end]
        words = tuple(self._scored(m, request.start) for m in re.finditer(rb"\w+", text))
        kept = words[: request.max_tokens]
        return EngineScoreAnswer(kept, request.end if kept == words else kept[-1].end, len(kept))

    def _scored(self, match: re.Match[bytes], shift: int) -> ScoredWord:
        text = match[0].decode("utf-8", "replace")
        instead = self.suspects.get(text)
        others = () if instead is None else (Alternative(instead, 0.9),)
        p = 0.5 if instead is None else 0.05
        return ScoredWord(match.start() + shift, match.end() + shift, text, p, others)

    def foresee(
        self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
    ) -> EngineAnswer:
        """`infill`, but what it answers so is not counted."""
        self.foreseen.append(request)
        if not self.foresees:
            raise Cancelled("not scripted")
        requests, asked = self.requests, self.asked
        try:
            return self.infill(request, cancel, encoding)
        finally:
            self.requests, self.asked = requests, asked
            self._tell("foreseen", len(self.foreseen), 0)

    def prepare(self, request: EngineRequest, cancel: CancelToken) -> None:
        """Notes the request; with a gate, waits for one permit first."""
        if self._permits is not None:
            self._permits.acquire()
        cancel.raise_if_cancelled()
        self.prepared.append(request)
        self._tell("prepared", len(self.prepared), 0)

    def _tell(self, event: str, request: int, step: int) -> None:
        if self.on_event is not None:
            self.on_event({"event": event, "request": request, "step": step})


class ScriptedEngine(WorkerEngine):
    """A worker engine around a `ScriptedFiller`, which tests reach through `filler`."""

    def __init__(
        self, filler: ScriptedFiller, *, load: Callable[[EngineConfig], None] | None = None
    ) -> None:
        self.filler = filler

        def loaded(config: EngineConfig) -> ScriptedFiller:
            if load is not None:
                load(config)
            return filler

        super().__init__(loaded)

    @classmethod
    def from_file(cls, path: Path) -> ScriptedEngine:
        """Read a script.

        Raises ScriptError when the file cannot be read as one.
        """
        try:
            script = json.loads(path.read_text(encoding="utf-8"))
            answers = tuple(_answer(raw) for raw in script.get("answers", ()))
            filler = ScriptedFiller(
                answers,
                gated=bool(script.get("gated") or script.get("gate")),
                noise=str(script.get("noise", "")),
                suspects=script.get("suspects"),
            )
            if script.get("gate"):
                _follow(Path(script["gate"]), filler)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ScriptError(
                f"{path} is no script: {error}", fix="see lsp_server/engine/scripted.py"
            ) from error
        failure = script.get("load_error")

        def fail(_: EngineConfig) -> None:
            if failure is not None:
                raise DiffillError(failure)

        return cls(filler, load=fail)


def _follow(gate: Path, filler: ScriptedFiller) -> None:
    """Release a step for every byte from a pipe, until its writers are gone."""
    if not gate.is_fifo():
        raise ValueError(f"the gate {gate} is no pipe")

    def follow() -> None:
        with gate.open("rb", buffering=0) as pipe:
            while pipe.read(1):
                filler.release()

    threading.Thread(target=follow, name="diffill-gate", daemon=True).start()


def _watch(
    holes: tuple[Span, ...], on_draft: OnDraft | None
) -> Callable[[EngineAnswer, int], None] | None:
    """Drafts: a word of the first candidate is a slot, and every step fills its share of them."""
    if on_draft is None:
        return None
    tell = on_draft

    def hear(answer: EngineAnswer, step: int) -> None:
        words = re.findall(r"\s*\S+", answer.candidates[0].text) if answer.candidates else []
        shown = len(words) * step // answer.steps
        pieces = ("".join(words[:shown]), len(words) - shown)
        kept = tuple(piece for piece in pieces if piece)
        tell(EngineDraft(holes, (kept,) * len(holes), step / answer.steps))

    return hear


def _answer(raw: dict[str, Any]) -> ScriptedAnswer:
    fields = dict(raw)
    candidates = tuple(
        EngineCandidate(
            c["text"],
            c.get("score", 0.9),
            c.get("parses", True),
            tokens=tuple((text, p) for text, p in c.get("tokens", ())),
        )
        for c in fields.pop("candidates", ())
    )
    return ScriptedAnswer(candidates=candidates, **fields)
