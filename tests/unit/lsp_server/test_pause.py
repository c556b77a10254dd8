"""`diffill.toggle` and `diffill.snooze`: what stops, what the status says, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from lsp_server.pause import Pause
from lsp_server.reasons import Reason
from tests.support.lsp_wire import Wire, answer


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


SCRIPT = [answer("a + b", before="return ")]


async def command(wire: Wire, name: str, *arguments: Any) -> Any:
    return await wire.ask(
        "workspace/executeCommand", {"command": name, "arguments": list(arguments)}
    )


async def open_document(wire: Wire, **capabilities: Any) -> Clock:
    await wire.initialize(capabilities)
    wire.open("return ")
    clock = Clock()
    wire.server.session.pause = Pause(clock)
    return clock


async def test_the_commands_are_announced(wire: Wire) -> None:
    result = await wire.initialize()
    assert set(result["capabilities"]["executeCommandProvider"]["commands"]) >= {
        "diffill.toggle",
        "diffill.snooze",
    }


async def test_the_toggle_silences_everything_until_it_is_used_again(wire: Wire) -> None:
    await open_document(wire, experimental={"diffillStatus": True})
    status = await command(wire, "diffill.toggle")
    assert status["kind"] == "Inactive" and "diffill.toggle" in status["message"]
    pushed = [m for m in wire.sent if m.get("method") == "diffill/statusDidChange"]
    assert pushed[-1]["params"]["kind"] == "Inactive"
    for automatic in (True, False):
        assert await wire.inline(0, 7, automatic=automatic) == []
        assert await wire.reason() == "toggledOff"
    assert (await command(wire, "diffill.toggle"))["kind"] != "Inactive"
    assert await wire.inline(0, 7) == ["return a + b"]


async def test_a_snooze_ends_by_itself_and_spares_what_is_asked_for(wire: Wire) -> None:
    clock = await open_document(wire)
    status = await command(wire, "diffill.snooze", 10)
    assert status["kind"] == "Inactive" and status["snoozedForS"] == 600
    assert status["message"] == "suggestions are snoozed: 10 min left"
    assert await wire.inline(0, 7) == []
    assert await wire.reason() == "snoozed"
    assert await wire.inline(0, 7, automatic=False) == ["return a + b"]
    clock.now_s += 590
    assert (await wire.ask("diffill/status"))["message"] == "suggestions are snoozed: 1 min left"
    clock.now_s += 9
    assert await wire.inline(0, 7) == []
    clock.now_s += 2
    assert await wire.inline(0, 7) == ["return a + b"]
    assert (await wire.ask("diffill/status"))["snoozedForS"] == 0


async def test_no_minutes_mean_five_and_zero_ends_it(wire: Wire) -> None:
    await open_document(wire)
    assert (await command(wire, "diffill.snooze"))["snoozedForS"] == 300
    assert (await command(wire, "diffill.snooze", 0))["kind"] != "Inactive"


@pytest.mark.parametrize("minutes", ["ten", -1, 1e9, True, None, [5]])
async def test_bad_minutes_are_named(wire: Wire, minutes: Any) -> None:
    await open_document(wire)
    sent = {"command": "diffill.snooze", "arguments": [minutes]}
    error = (await wire.response(wire.request("workspace/executeCommand", sent)))["error"]
    assert error["code"] == -32602 and "give 0 to 1440" in error["message"]
    assert await wire.inline(0, 7) == ["return a + b"]


def test_the_toggle_ends_a_snooze() -> None:
    pause = Pause(Clock())
    pause.snooze(5)
    assert pause.reason(automatic=True) is Reason.SNOOZED
    assert pause.toggle() is True
    assert pause.reason(automatic=True) is None
