"""A filler that says what it is told, and the cases it is told about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from diffusion.evaluate.cases import Case
from diffusion.evaluate.infill_eval import Fill, Length

ADD = Case(
    task_id="add",
    language="python",
    prefix="def add(a, b):\n    return ",
    middle="a + b",
    suffix="\n",
    test="def check(f):\n    assert f(1, 2) == 3\n",
    entry_point="add",
)


@dataclass
class ScriptedFiller:
    """Answers task by task; an exception as the answer is raised. Remembers the lengths."""

    answers: dict[str, str | BaseException]
    name: str = "scripted"
    lengths: list[Length] = field(default_factory=list)

    def prepare(self, case: Case, length: Length) -> Callable[[], Fill]:
        self.lengths.append(length)

        def call() -> Fill:
            answer = self.answers[case.task_id]
            if isinstance(answer, BaseException):
                raise answer
            return Fill(answer, tokens=len(answer), steps=2, confidence=0.5)

        return call
