"""Adaptive debounce: when a request waits, and for how long. Time is the test's."""

from __future__ import annotations

import asyncio
import math

import pytest

from diffusion.cancel import CancelToken
from lsp_server.completion.cache import ForwardCache
from lsp_server.completion.foresight import Foresight
from lsp_server.completion.pace import LONGEST_MS, Pace
from lsp_server.completion.pipeline import complete
from lsp_server.completion.trigger import CompletionRequest
from lsp_server.document import Document
from lsp_server.engine.scripted import ScriptedEngine
from lsp_server.observe.trace import Trace
from lsp_server.settings import InlineSettings, Settings
from tests.support.lsp_wire import WAIT_S, answer, scripted


class Typist:
    """A pace with keys at a fixed gap; `pace` is read right after the last of them."""

    def __init__(self, gap_ms: float, answers_ms: float | None, keys: int = 12) -> None:
        self.now_s = 0.0
        self.pace = Pace(lambda: self.now_s)
        for _ in range(keys):
            self.now_s += gap_ms / 1000
            self.pace.key()
        if answers_ms is not None:
            self.pace.answered(answers_ms)

    def after(self, ms: float) -> float:
        self.now_s += ms / 1000
        return self.pace.wait_ms("adaptive")


@pytest.mark.parametrize(
    ("gap_ms", "answers_ms", "wait_ms"),
    [
        (100, 50, 0.0),  # the answer comes before the next key
        (100, 200, 130.0),  # it does not: until the next key is overdue
        (50, 200, 65.0),
        (600, 900, LONGEST_MS),
        (100, None, 0.0),  # nothing is known of the model yet
        (2000, 3000, 0.0),  # keys so far apart are no burst
    ],
)
def test_how_long_to_wait(gap_ms: float, answers_ms: float | None, wait_ms: float) -> None:
    assert Typist(gap_ms, answers_ms).after(0) == pytest.approx(wait_ms)


def test_the_wait_counts_from_the_last_key_and_a_pause_has_none() -> None:
    typist = Typist(100, 200)
    assert typist.after(40) == pytest.approx(90.0)
    assert typist.after(200) == 0.0


def test_the_first_key_after_a_pause_begins_a_burst_of_its_own() -> None:
    typist = Typist(100, 200)
    typist.now_s += 2.0
    typist.pace.key()
    assert typist.after(0) == 0.0
    for _ in range(2):
        typist.now_s += 0.05
        typist.pace.key()
    assert typist.after(0) == pytest.approx(65.0), "the gap of the burst before is forgotten"


def test_how_long_ago_the_last_key_was() -> None:
    typist = Typist(100, None)
    assert typist.after(400) == 0.0 and typist.pace.since_key_s == pytest.approx(0.4)
    assert Pace().since_key_s == math.inf


def test_a_number_is_taken_as_it_is() -> None:
    assert Typist(100, 200).pace.wait_ms(75) == 75.0
    assert Pace().wait_ms("adaptive") == 0.0


def test_answers_that_get_faster_end_the_wait() -> None:
    typist = Typist(100, 200)
    for _ in range(12):
        typist.pace.answered(40)
    assert typist.after(0) == 0.0


async def ask(automatic: bool, cancel: CancelToken) -> tuple[list[float], Trace, ScriptedEngine]:
    """One request under a debounce of 80 ms; what it waited, its trace, what was asked."""
    engine, waited = scripted([answer("1", before="x = ")]), []
    trace = Trace("inline", "file:///a.py")

    async def pause_s(seconds: float) -> None:
        waited.append(seconds)
        cancel.cancel("superseded")
        await asyncio.sleep(0)

    document = Document.open("file:///a.py", "python", 1, "x = ")
    await complete(
        CompletionRequest(document, 4, automatic),
        settings=Settings(inline=InlineSettings(debounce_ms=80)),
        engine=engine, cache=ForwardCache(), cancel=cancel, trace=trace,
        pace=Pace(), foresight=Foresight(), pause_s=pause_s,
    )  # fmt: skip
    engine.close()
    assert engine.join(WAIT_S)
    return waited, trace, engine


async def test_a_request_that_is_overtaken_while_it_waits_never_reaches_the_model() -> None:
    waited, trace, engine = await ask(True, CancelToken())
    assert (waited, trace.reason, engine.filler.requests) == ([0.08], "superseded", 0)
    assert engine._thread is None, "not even the queue, whose work ahead goes on"


async def test_who_asks_by_key_does_not_wait() -> None:
    waited, trace, engine = await ask(False, CancelToken())
    assert (waited, trace.reason, engine.filler.requests) == ([], None, 1)
