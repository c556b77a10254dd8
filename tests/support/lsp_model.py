"""What a client knows: its documents, what it has asked, and what an answer may hold.

For tests that play a client at random; shares no code with the server.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.support import lsp_reference as reference

FILL = "value + other"
OTHER = "v2"
URIS = ("file:///w/a.py", "file:///w/b.py", "file:///w/.env.py")
SECRET = URIS[2]
PIECES = ("a", "x = ", " ", "\n", "\r\n", "\r", "é", "😀", "f(b)", "bad", "# c", "v", FILL[:5])
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
rarely = st.integers(0, 9).map(lambda number: number == 7)


@dataclass
class Open:
    """A document as the client has it."""

    text: str
    version: int


@dataclass
class Asked:
    """A request without its answer yet. `version`: of the document when it was sent."""

    method: str
    uri: str = ""
    version: int = 0
    index: int = 0
    silent: bool = False
    """It was switched off from the moment it was asked on."""
    cancelled: bool = False
    refused: bool = False


class Errors(logging.Handler):
    """Keeps what is logged as an error of the server's own."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, JsonRpcException):  # those are the client's mistakes
            self.records.append(f"{record.getMessage()} {error!r}")


def check_items(asked: Asked, known: Open | None, items: list[dict[str, Any]]) -> None:
    """What is offered is allowed, and puts scripted text, or the rest of it, at the cursor."""
    if asked.silent or known is None or known.version != asked.version:
        assert items == [], "offered where it is off, closed, or has changed"
    for item in items:
        assert known is not None
        where = types.Range(*(types.Position(**item["range"][side]) for side in ("start", "end")))
        after = reference.apply(known.text, where, item["insertText"], "utf-16")
        left, right = known.text[: asked.index], known.text[asked.index :]
        assert after.startswith(left) and after.endswith(right)
        added = after[len(left) : len(after) - len(right)]
        assert added and (FILL.endswith(added) or OTHER.endswith(added)), added


def check_draft(asked: Asked | None, known: Open | None) -> None:
    """A draft is of a request that waits for its answer, for the text as it is."""
    assert asked is not None, "a draft after the answer"
    assert not asked.cancelled and not asked.refused
    assert known is not None and known.version == asked.version


def raw_range(where: types.Range) -> dict[str, Any]:
    """A range as it is sent."""
    return {
        side: {"line": at.line, "character": at.character}
        for side, at in (("start", where.start), ("end", where.end))
    }
