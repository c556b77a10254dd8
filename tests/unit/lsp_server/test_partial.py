"""Drafts of our own requests: what is sent, how often, and when no longer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from diffusion.cancel import CancelToken
from lsp_server.engine.tasks import EngineDraft
from lsp_server.features.partial import Drafts
from tests.support.lsp_wire import URI, WAIT_S, Wire, answer, scripted

TEXT = "x = ___\ny = ___\n# double\n"
WORDS = "one two three"
DOCUMENT = {"textDocument": {"uri": URI}}
SELECTION = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}}
PARAMS: dict[str, dict[str, Any]] = {
    "diffill/fill": DOCUMENT,
    "diffill/rewrite": {**DOCUMENT, "range": SELECTION},
    "diffill/bridge": {**DOCUMENT, "position": {"line": 1, "character": 0}},
    "diffill/fromComment": {**DOCUMENT, "position": {"line": 2, "character": 3}},
}
PIECES = [["one", 2], ["one two", 1], ["one two three"]]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire(scripted([answer(WORDS, steps=3)], gated=True))
    yield wire
    wire.engine.filler.release(100)
    wire.server.session.close()
    assert wire.engine.join(WAIT_S)


def drafts(wire: Wire, token: float | str = "t") -> list[dict[str, Any]]:
    told = [m["params"] for m in wire.sent if m.get("method") == "$/progress"]
    return [params["value"] for params in told if params["token"] == token]


async def until(wire: Wire, count: int) -> None:
    """Until so many drafts have come."""
    async with asyncio.timeout(WAIT_S):
        while len(drafts(wire)) < count:
            wire._changed.clear()
            await wire._changed.wait()


async def begin(wire: Wire, method: str, token: Any = "t") -> int:
    await wire.initialize()
    wire.open(TEXT)
    return wire.request(method, {**PARAMS[method], "partialResultToken": token})


@pytest.mark.parametrize("method", PARAMS)
async def test_every_step_is_told_before_the_answer(wire: Wire, method: str) -> None:
    msg_id = await begin(wire, method)
    for step in range(1, 4):
        wire.engine.filler.release(1)
        await until(wire, step)
        found = drafts(wire)[-1]
        assert found["texts"] == [PIECES[step - 1]] * len(found["ranges"])
        assert found["done"] == pytest.approx(step / 3, abs=1e-4)
    response = await wire.response(msg_id)
    assert wire.sent[-1] is response, "nothing comes after it"
    result = response["result"]
    ranges = result["ranges"] if "ranges" in result else [result["range"]]
    assert drafts(wire)[-1]["ranges"] == ranges
    assert (result.get("fills") or result.get("rewrites"))[0], "the answer is complete in itself"


async def test_who_names_no_token_hears_no_draft(wire: Wire) -> None:
    wire.engine.filler.release(3)
    await wire.initialize()
    wire.open(TEXT)
    await wire.ask("diffill/fill", DOCUMENT)
    assert not [m for m in wire.sent if m.get("method") == "$/progress"]


async def test_drafts_keep_their_distance(wire: Wire) -> None:
    wire.server.session.draft_interval_s = 3600
    wire.engine.filler.release(3)
    await wire.response(await begin(wire, "diffill/fill"))
    assert len(drafts(wire)) == 1


async def step_behind_the_loop(wire: Wire) -> None:
    """The engine takes a step and has its draft on the way; the loop has not turned since."""
    taken = threading.Event()
    wire.engine.filler.on_event = lambda event: taken.set() if event["event"] == "step" else None
    wire.engine.filler.release(1)
    assert taken.wait(WAIT_S)


async def test_no_draft_comes_after_a_cancel(wire: Wire) -> None:
    msg_id = await begin(wire, "diffill/fill")
    wire.engine.filler.release(1)
    await until(wire, 1)
    await step_behind_the_loop(wire)
    wire.cancel(msg_id)
    assert "error" in await wire.response(msg_id)
    wire.engine.filler.release(4)
    await wire.ask("diffill/rewrite", PARAMS["diffill/rewrite"])  # the engine has moved on
    assert len(drafts(wire)) == 1


async def test_no_draft_comes_for_a_text_that_has_changed(wire: Wire) -> None:
    msg_id = await begin(wire, "diffill/fill")
    wire.engine.filler.release(1)
    await until(wire, 1)
    await step_behind_the_loop(wire)
    wire.type("z", 0, 0, 2)
    wire.engine.filler.release(2)
    result = (await wire.response(msg_id))["result"]
    assert result["fills"] == [] and result["reason"]
    assert len(drafts(wire)) == 1


async def test_a_draft_on_its_way_when_the_loop_is_gone_stops_the_request(wire: Wire) -> None:
    await wire.initialize()
    wire.open(TEXT)
    token = CancelToken()
    sender = Drafts(wire.server, wire.server.session.documents[URI], "t", token)
    sender._loop = asyncio.new_event_loop()
    sender._loop.close()
    sender(EngineDraft(((0, 1),), (("a",),), 1.0))
    assert token.is_cancelled and not drafts(wire)


@pytest.mark.parametrize("token", [True, 1.5, {}, []])
async def test_what_is_no_token_is_refused(wire: Wire, token: Any) -> None:
    response = await wire.response(await begin(wire, "diffill/rewrite", token))
    assert "partialResultToken" in response["error"]["message"]


@pytest.mark.parametrize("token", [0, 7, 7.0, "", "a"])
async def test_numbers_and_strings_are_tokens(wire: Wire, token: float | str) -> None:
    wire.engine.filler.release(3)
    await wire.response(await begin(wire, "diffill/fill", token))
    assert len(drafts(wire, token)) == 3
