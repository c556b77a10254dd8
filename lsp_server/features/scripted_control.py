"""Lets a test drive the scripted engine over the wire. Absent with any other engine.

`scripted/release {steps}` (notification) lets a gated script take steps; `scripted/report`
answers what it has done; `scripted/event` (to the client) tells of each start, step and end.
Drafts keep no distance in time, so that a test sees the one of every step.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from lsp_server.engine.scripted import ScriptedEngine

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

RELEASE = "scripted/release"
REPORT = "scripted/report"
EVENT = "scripted/event"


def register(server: DiffillServer) -> None:
    engine = server.session.engine
    if not isinstance(engine, ScriptedEngine):
        return
    server.session.draft_interval_s = 0

    def release(ls: DiffillServer, params: Any) -> None:
        engine.filler.release(int(params.steps))

    async def report(ls: DiffillServer, params: Any) -> dict[str, int]:
        loop = asyncio.get_running_loop()

        def tell(event: dict[str, Any]) -> None:  # on the inference thread
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(ls.protocol.notify, EVENT, event)

        engine.filler.on_event = tell
        return {"requests": engine.filler.requests, "steps": engine.filler.steps}

    server.feature(RELEASE)(release)
    server.feature(REPORT)(report)
