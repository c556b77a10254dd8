"""`workspace/executeCommand`: `diffill.toggle` and `diffill.snooze [minutes]`.

Both answer with the new `diffill/status` and push it to clients that asked for pushes; when a
snooze ends it is pushed again. Marked words come and go with the suggestions. Bad arguments are
answered as InvalidParams with what is wrong. pygls looks the handlers' annotations up by name while
it runs, so they name nothing that is imported for checking only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pygls.exceptions import JsonRpcInvalidParams

from lsp_server.features import status, suspicious
from lsp_server.pause import DEFAULT_MINUTES, LONGEST_MINUTES

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer

TOGGLE = "diffill.toggle"
SNOOZE = "diffill.snooze"


def toggle(ls: Any, *arguments: Any) -> dict[str, Any]:
    ls.session.pause.toggle()
    _changed(ls)
    return status.report(ls)


def snooze(ls: Any, *arguments: Any) -> dict[str, Any]:
    minutes = arguments[0] if arguments else DEFAULT_MINUTES
    a_number = isinstance(minutes, (int, float)) and not isinstance(minutes, bool)
    if not a_number or not 0 <= minutes <= LONGEST_MINUTES:
        raise JsonRpcInvalidParams(
            f"{SNOOZE}: {minutes!r} is no number of minutes; give 0 to {LONGEST_MINUTES:.0f}"
        )
    ls.session.pause.snooze(minutes)
    if minutes > 0:
        # No handle is kept: a push too many says what is true at that moment.
        asyncio.get_running_loop().call_later(60 * minutes + 0.1, _changed, ls)
    _changed(ls)
    return status.report(ls)


def _changed(ls: DiffillServer) -> None:
    ls.session.stop_where_off()
    status.push(ls)
    suspicious.look_again(ls)


def register(server: DiffillServer) -> None:
    server.command(TOGGLE)(toggle)
    server.command(SNOOZE)(snooze)
