"""Programs that stand in for a run, and the wait for its end."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from lsp_server.training.job import TrainingJob
from tests.support.lsp_wire import WAIT_S, Wire


def program(*events: dict[str, Any], after: str = "") -> list[str]:
    """The command of a program that prints events, and goes on with Python of the test's."""
    lines = "".join(f"print({json.dumps(json.dumps(event))}, flush=True)\n" for event in events)
    return [sys.executable, "-c", f"import sys\n{lines}{after}"]


async def over(job: TrainingJob) -> None:
    """The run's process is gone, and its last event was told."""
    assert job._task is not None
    async with asyncio.timeout(WAIT_S):
        await job._task


async def arrived(wire: Wire, method: str) -> dict[str, Any]:
    """The next message of a method that has not been looked at, when it is there."""
    async with asyncio.timeout(WAIT_S):
        while True:
            for message in wire.sent:
                if message.get("method") == method and "seen" not in message:
                    message["seen"] = True
                    return message
            await asyncio.sleep(0)
