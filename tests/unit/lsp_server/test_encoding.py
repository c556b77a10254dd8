"""What is being encoded goes on for the next request where that would need the same."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest

from diffusion.cancel import Cancelled, CancelToken
from lsp_server.engine.encoding import Encoding, Newest, same_context
from lsp_server.engine.engine import EngineAnswer, EngineCandidate, EngineRequest
from lsp_server.engine.worker import WorkerEngine

WAIT_S = 30.0
CURSOR = "█"


def at(drawn: str, language: str = "python", *, in_haste: bool = False) -> EngineRequest:
    """A request for a document that is drawn with its cursor."""
    text = drawn.encode()
    cursor = text.index(CURSOR.encode())
    text = text.replace(CURSOR.encode(), b"")
    return EngineRequest(text, cursor, language, in_haste=in_haste)


LINE = at("a = 1\n█\nb = 2\n")


@pytest.mark.parametrize(
    ("drawn", "same"),
    [
        ("a = 1\n█\nb = 2\n", True),
        ("a = 1\nc = foo(█\nb = 2\n", True),
        ("a = 1\n    █\nb = 2\n", True),
        ("a = 1\n█)\nb = 2\n", False),
        ("a = 2\n█\nb = 2\n", False),
        ("a = 1\n\n█\nb = 2\n", False),
        ("a = 1█\n\nb = 2\n", False),
        ("a = 1\n█\nb = 3\n", False),
    ],
)
def test_contexts_differ_in_all_but_the_line_before_the_cursor(drawn: str, same: bool) -> None:
    assert same_context(LINE, at(drawn)) is same
    assert not same_context(LINE, at(drawn, "go"))
    assert not same_context(LINE, at(drawn, in_haste=True)), "it is in two parts"


def test_in_haste_the_lines_after_a_boundary_have_a_far_part_in_common() -> None:
    """Enter does not break off what the line that it opens needs first."""
    eight = "a = 1\n" * 8
    first, typed, opened = (
        at(f"{eight}{below}\nb = 2\n", in_haste=True) for below in ("█", "b = 1█", "b = 1\n    █")
    )
    assert same_context(first, typed) and same_context(first, opened)
    assert same_context(typed, opened)
    assert not same_context(typed, at(f"{eight}b = 1\n█\nb = 3\n", in_haste=True))
    assert not same_context(at(f"{eight}b = 1█\n"), at(f"{eight}b = 1\n█\n")), "by key all is read"


@pytest.mark.parametrize(
    ("newest", "goes_on"),
    [
        (LINE, True),
        (at("a = 1\nc█\nb = 2\n"), True),
        (at("a = 1█\n\nb = 2\n"), False),
        (None, False),
    ],
)
def test_once_its_owner_has_stopped_it_an_encoding_depends_on_who_came_last(
    newest: EngineRequest | None, goes_on: bool
) -> None:
    last, owner = Newest(), CancelToken()
    last.request = newest
    encoding = Encoding(LINE, owner, last)
    encoding.raise_if_cancelled()
    owner.cancel("typed on")
    assert encoding.is_cancelled is not goes_on
    if goes_on:
        encoding.raise_if_cancelled()
        last.request = at("█elsewhere")
    with pytest.raises(Cancelled, match="typed on"):
        encoding.raise_if_cancelled()


class _Encoder:
    """A filler that encodes each context once, layer by layer, as the test lets it."""

    model = "encoder"

    def __init__(self) -> None:
        self.encoded: list[bytes] = []
        self.layers = threading.Semaphore(0)
        self.began = threading.Semaphore(0)

    def _encode(self, request: EngineRequest, encoding: CancelToken) -> None:
        key = request.text[: request.text.rfind(b"\n", 0, request.cursor) + 1]
        if key in self.encoded:
            return
        for _ in range(3):
            self.began.release()
            assert self.layers.acquire(timeout=WAIT_S)
            encoding.raise_if_cancelled()
        self.encoded.append(key)

    def infill(
        self, request: EngineRequest, cancel: CancelToken, encoding: CancelToken
    ) -> EngineAnswer:
        self._encode(request, encoding)
        cancel.raise_if_cancelled()
        return EngineAnswer((EngineCandidate("x", 0.5, True),), request.cursor, request.cursor, "")

    def prepare(self, request: EngineRequest, cancel: CancelToken) -> None:
        self._encode(request, cancel)


@pytest.fixture
def filler() -> _Encoder:
    return _Encoder()


@pytest.fixture
def engine(filler: _Encoder) -> Iterator[WorkerEngine]:
    engine = WorkerEngine(lambda config: filler)  # type: ignore[arg-type, return-value]
    yield engine
    filler.layers.release(100)
    engine.close()
    assert engine.join(WAIT_S)


Ask = Callable[[str], tuple[Future[EngineAnswer], CancelToken]]


@pytest.fixture
def ask(engine: WorkerEngine) -> Ask:
    def ask(drawn: str) -> tuple[Future[EngineAnswer], CancelToken]:
        token = CancelToken()
        return engine.submit(at(drawn), token), token

    return ask


def test_who_types_on_waits_for_the_rest_of_one_context_only(filler: _Encoder, ask: Ask) -> None:
    first, token = ask("a = 1\n█\n")
    assert filler.began.acquire(timeout=WAIT_S)
    token.cancel("superseded")
    second, _ = ask("a = 1\nb█\n")
    filler.layers.release(3)
    with pytest.raises(Cancelled, match="superseded"):
        first.result(WAIT_S)
    assert second.result(WAIT_S).candidates
    assert filler.encoded == [b"a = 1\n"]


def test_it_goes_on_while_the_one_that_came_for_it_is_overtaken_as_well(
    filler: _Encoder, ask: Ask
) -> None:
    """A burst of keys: the third waits for a pause before it asks."""
    first, token = ask("a = 1\n█\n")
    assert filler.began.acquire(timeout=WAIT_S)
    token.cancel("superseded")
    second, token = ask("a = 1\nb█\n")
    token.cancel("superseded")
    with pytest.raises(Cancelled, match="superseded"):
        second.result(WAIT_S)
    filler.layers.release(3)
    with pytest.raises(Cancelled, match="superseded"):
        first.result(WAIT_S)
    assert filler.encoded == [b"a = 1\n"]


def test_who_goes_elsewhere_does_not_wait_for_it(filler: _Encoder, ask: Ask) -> None:
    first, token = ask("a = 1\n█\n")
    assert filler.began.acquire(timeout=WAIT_S)
    token.cancel("superseded")
    second, _ = ask("a = 1\nb = 2\n█\n")
    filler.layers.release(4)  # one that the first notices at, three for the second
    with pytest.raises(Cancelled, match="superseded"):
        first.result(WAIT_S)
    assert second.result(WAIT_S).candidates
    assert filler.encoded == [b"a = 1\nb = 2\n"]


def test_by_key_nobody_waits_for_what_was_begun_in_haste(
    filler: _Encoder, engine: WorkerEngine, ask: Ask
) -> None:
    token = CancelToken()
    typed = engine.submit(at("a = 1\n█\n", in_haste=True), token)
    assert filler.began.acquire(timeout=WAIT_S)
    token.cancel("superseded")
    by_key, _ = ask("a = 1\n█\n")
    filler.layers.release(1)
    with pytest.raises(Cancelled, match="superseded"):
        typed.result(WAIT_S)
    assert filler.encoded == []
    filler.layers.release(3)
    assert by_key.result(WAIT_S).candidates


def test_work_ahead_of_need_goes_on_for_the_line_that_enter_opens(
    filler: _Encoder, engine: WorkerEngine, ask: Ask
) -> None:
    filler.layers.release(3)
    assert ask("a = 1█\n")[0].result(WAIT_S).candidates
    for _ in range(3):
        assert filler.began.acquire(timeout=WAIT_S)
    engine.ahead([at("a = 1\n█\n")])
    assert filler.began.acquire(timeout=WAIT_S)
    after_enter, _ = ask("a = 1\n    █\n")
    filler.layers.release(3)
    assert after_enter.result(WAIT_S).candidates
    assert filler.encoded == [b"", b"a = 1\n"]


def test_closing_ends_it(filler: _Encoder, engine: WorkerEngine, ask: Ask) -> None:
    first, token = ask("a = 1\n█\n")
    assert filler.began.acquire(timeout=WAIT_S)
    token.cancel("shutting down")
    engine.close()
    filler.layers.release(1)
    with pytest.raises(Cancelled, match="shutting down"):
        first.result(WAIT_S)
    assert filler.encoded == []


class _Held:
    """Stands for what a request holds; bytes cannot be watched."""


def test_what_was_overtaken_last_is_let_go_once_the_work_before_it_is_done(
    filler: _Encoder,
) -> None:
    """Nobody may ask again for hours: the file was closed."""
    rested = threading.Semaphore(0)
    engine = WorkerEngine(
        lambda config: filler,  # type: ignore[arg-type, return-value]
        rest=rested.release,
        rest_after_s=0.001,
    )
    first, token, held = engine.submit(LINE, CancelToken()), CancelToken(), _Held()
    alive = weakref.ref(held)
    overtaken = engine.submit(replace(LINE, repository=held), token)  # type: ignore[arg-type]
    del held
    token.cancel("stale")
    with pytest.raises(Cancelled, match="stale"):
        overtaken.result(0)
    filler.layers.release(3)
    assert first.result(WAIT_S).candidates
    assert rested.acquire(timeout=WAIT_S), "the thread has come by the overtaken one, too"
    assert alive() is None
    engine.close()
    assert engine.join(WAIT_S)
