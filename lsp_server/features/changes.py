"""Opened and changed documents as clients send them: plain JSON, read here and nowhere else.

The protocol's types refuse a change for a missing version or a position beyond 2^31, and take
`null` for the text "None"; whoever loses a change writes over the user's text later. Invariants:
what is no text is never taken for one; a change is read as a whole or not at all; nothing raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from lsp_server.document import Document
from lsp_server.lenient import MOST

Change = types.TextDocumentContentChangePartial | types.TextDocumentContentChangeWholeDocument


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of one document; `uri` is None where the client does not say of which.

    `version`: None where it does not say, or says none. `changes`: None where they cannot be read.
    """

    uri: str | None
    version: int | None
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, slots=True)
class NotebookChanged:
    """A change of a notebook. `unread`: cells that it opens with a text that cannot be read."""

    closed: tuple[str, ...] = ()
    opened: tuple[Document, ...] = ()
    unread: tuple[str, ...] = ()
    texts: tuple[Changed, ...] = ()


def opened(item: Any) -> Document | None:
    """An opened document; None where its text or its name cannot be read."""
    uri, text, language = uri_of(item), _get(item, "text"), _get(item, "languageId")
    if uri is None or not isinstance(text, str):
        return None
    version = _version(item)
    name = language if isinstance(language, str) else ""
    return Document.open(uri, name, 0 if version is None else version, text)


def changed(item: Any, changes: Any) -> Changed:
    """A change of the document that `item` names."""
    return Changed(uri_of(item), _version(item), _all(changes))


def notebook_changed(change: Any) -> NotebookChanged:
    """What happens to the texts of a notebook's cells; the rest is not looked at."""
    cells = _get(change, "cells")
    structure, texts = _get(cells, "structure"), _list(cells, "textContent")
    items = [(item, opened(item)) for item in _list(structure, "didOpen")]
    return NotebookChanged(
        tuple(filter(None, map(uri_of, _list(structure, "didClose")))),
        tuple(document for _, document in items if document is not None),
        tuple(filter(None, (uri_of(item) for item, document in items if document is None))),
        tuple(changed(_get(text, "document"), _get(text, "changes")) for text in texts),
    )


def uri_of(item: Any) -> str | None:
    """The document that an item names."""
    uri = _get(item, "uri")
    return uri if isinstance(uri, str) else None


def last_whole(changes: Sequence[Change]) -> int | None:
    """The last of some changes that gives the whole text; what is before it does not matter."""
    whole = types.TextDocumentContentChangeWholeDocument
    return max((n for n, one in enumerate(changes) if isinstance(one, whole)), default=None)


def _all(raw: Any) -> tuple[Change, ...] | None:
    if not isinstance(raw, list):
        return None
    found = []
    for one in raw:
        change = _change(one)
        if change is None:
            return None
        found.append(change)
    return tuple(found)


def _change(raw: Any) -> Change | None:
    text, where = _get(raw, "text"), _get(raw, "range")
    if not isinstance(text, str):
        return None
    if where is None:
        return types.TextDocumentContentChangeWholeDocument(text)
    start, end = _position(_get(where, "start")), _position(_get(where, "end"))
    if start is None or end is None:
        return None
    return types.TextDocumentContentChangePartial(types.Range(start, end), text)


def _position(raw: Any) -> types.Position | None:
    line, character = _number(_get(raw, "line")), _number(_get(raw, "character"))
    if line is None or character is None or line < 0 or character < 0:
        return None
    return types.Position(min(line, MOST), min(character, MOST))


def _version(item: Any) -> int | None:
    number = _number(_get(item, "version"))
    return number if number is not None and -MOST <= number < MOST else None


def _number(raw: Any) -> int | None:
    """An integer, also one that is written as 1.0."""
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    return raw if isinstance(raw, int) and not isinstance(raw, bool) else None


def _get(raw: Any, key: str) -> Any:
    return raw.get(key) if isinstance(raw, dict) else None


def _list(raw: Any, key: str) -> list[Any]:
    found = _get(raw, key)
    return found if isinstance(found, list) else []
