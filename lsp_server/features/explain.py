"""`diffill/explainLast`: why the last request was answered as it was.

Params: none, or `{"textDocument": {"uri": ...}}` for the last request of one document. Result:
`Trace.to_json`, or null when there was no request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lsp_server.protocol import EXPLAIN_LAST

if TYPE_CHECKING:
    from lsp_server.server import DiffillServer


def explain_last(ls: DiffillServer, params: Any) -> dict[str, Any] | None:
    document = params.get("textDocument") if isinstance(params, dict) else None
    uri = document.get("uri") if isinstance(document, dict) else None
    trace = ls.session.traces.last(uri if isinstance(uri, str) else None)
    return None if trace is None else trace.to_json()


def register(server: DiffillServer) -> None:
    server.feature(EXPLAIN_LAST)(explain_last)
