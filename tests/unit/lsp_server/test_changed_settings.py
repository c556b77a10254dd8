"""Settings that change while a request is under way: what is shown is what they want then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.lsp_server.test_requests import Gated


@pytest.fixture
async def gated() -> AsyncIterator[Gated]:
    gated = Gated()
    yield gated
    gated.close()


async def test_what_was_under_way_when_the_settings_changed_is_not_offered_again(
    gated: Gated,
) -> None:
    wire = await gated.open()
    msg_id = wire.ask_inline(1, 11)
    await gated.until_started()
    settings = {"settings": {"inline": {"multiline": "never"}}}
    wire.notify("workspace/didChangeConfiguration", settings)
    gated.filler.release(100)
    assert (await wire.response(msg_id))["result"]["items"]
    assert await wire.inline(1, 11)
    assert gated.filler.requests == 2


SETTINGS = pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"inline": {"trigger": "manual"}}, "manualOnly"),
        ({"inline": {"minConfidence": 0.95}}, "allFiltered"),
        ({"inline": {"disabledIn": ["string"]}}, "scopeOff"),
        ({"performance": {"maxLineLength": 1}}, "lineTooLong"),
        ({"inline": {"alternatives": 2}}, None),
    ],
)


@SETTINGS
async def test_what_is_shown_is_what_the_settings_want_when_it_is_written(
    gated: Gated, changed: dict[str, Any], reason: str | None
) -> None:
    wire = await gated.open()
    wire.type('"', 1, 11, 2)
    msg_id = wire.ask_inline(1, 12)
    await gated.until_started()
    wire.notify("workspace/didChangeConfiguration", {"settings": {"diffill": changed}})
    gated.filler.release(100)
    shown = (await wire.response(msg_id))["result"]["items"]
    assert bool(shown) == (reason is None)
    assert await wire.reason() == reason
