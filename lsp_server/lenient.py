"""Messages of clients that know other versions of the protocol, or say less than it asks.

The protocol's types refuse a whole message for one unknown number in a part that nobody reads.
What is not read here is taken out of a message before it becomes one of those types (`mend`), and
of `initialize` whatever they do not know (`prune`), as the specification asks for. Invariants:
plain JSON in and out; nothing that is read is ever made up, but for names of folders and the kind
of a file's change; no text of the client's gets into what is said of a message.
"""

from __future__ import annotations

import codecs
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from cattrs.errors import ClassValidationError, IterableValidationError

logger = logging.getLogger(__name__)
INITIALIZE = "initialize"
STAND_IN = "\x1a"
"""What a byte that is no UTF-8 is read as (SUBSTITUTE, which is for that): one unit, as the byte is
to the client, in every encoding of positions."""
MOST = 2**31 - 1
"""The largest number of the protocol; clients send larger ones for the end of a line or file."""
_MOST_NAMED = 8
_CHANGED = 2
Path = tuple[str | int, ...]


def _one_for_each(error: UnicodeError) -> tuple[str, int]:
    """A stand-in for every byte that is no UTF-8, so that text behind it keeps its place."""
    assert isinstance(error, UnicodeDecodeError)
    return STAND_IN * (error.end - error.start), error.end


codecs.register_error("diffill.one_for_each", _one_for_each)


def parsed(body: bytes) -> Any:
    """The JSON of a message.

    Editors send bytes of a file that are no UTF-8 as they are. A change lost for one of them would
    leave every later one out of step, so each becomes `STAND_IN`. Raises ValueError,
    RecursionError.
    """
    try:
        return json.loads(body)
    except UnicodeDecodeError:  # not strict: a stand-in is a control character
        return json.loads(body.decode("utf-8", "diffill.one_for_each"), strict=False)


def fault(data: object) -> str | None:
    """What is wrong with the envelope of a message; None for one that may be read."""
    if isinstance(data, list):
        return "several messages came in one list; send each by itself"
    if not isinstance(data, dict):
        return "a message is an object"
    if data.get("jsonrpc") != "2.0":
        return 'a message says "jsonrpc": "2.0"'
    if "method" not in data:
        return None if "id" in data else "a message has a method or the id of a request"
    if not isinstance(data["method"], str):
        return "the method of a message is a string"
    if "id" in data and not is_id(data["id"]):
        return "the id of a request is an integer or a string"
    return None


def is_id(value: object) -> bool:
    """Whether a value can be the id of a request; 1.0 is 1 to who has one kind of numbers."""
    if isinstance(value, float):
        return value.is_integer()
    return isinstance(value, (int, str)) and not isinstance(value, bool)


# Before a message becomes a type


def mend(data: dict[str, Any]) -> None:
    """Take out of a request or notification what is not read."""
    mender = _MENDERS.get(data["method"])
    params = data.setdefault("params", None)
    if mender is not None and isinstance(params, dict):
        mender(params)


def _initialize(params: dict[str, Any]) -> None:
    if not isinstance(params.get("capabilities"), dict):
        params["capabilities"] = {}
    if not _is_uri(params.get("rootUri")):
        params["rootUri"] = None
    if not is_text(params.get("rootPath")):
        params["rootPath"] = None
    if isinstance(params.get("workspaceFolders"), list):
        params["workspaceFolders"] = _folders(params["workspaceFolders"])


def _folders(raw: object) -> list[dict[str, Any]]:
    """Workspace folders: with a name, which nobody reads, and without what is none."""
    items = raw if isinstance(raw, list) else []
    found = [item for item in items if isinstance(item, dict) and _is_uri(item.get("uri"))]
    if len(found) < len(items):
        logger.warning("of %d workspace folders %d name none", len(items), len(items) - len(found))
    return [{"uri": item["uri"], "name": ""} for item in found]


def _is_uri(value: object) -> bool:
    try:
        return is_text(value) and urlsplit(str(value)) is not None
    except ValueError:
        return False


def is_text(value: object) -> bool:
    """Whether a value is a string that can be written; half a pair of surrogates cannot."""
    try:
        return isinstance(value, str) and value.encode().decode() == value
    except UnicodeEncodeError:
        return False


def _changed_folders(params: dict[str, Any]) -> None:
    event = params.get("event")
    sides = event if isinstance(event, dict) else {}
    params["event"] = {side: _folders(sides.get(side)) for side in ("added", "removed")}


def _watched_files(params: dict[str, Any]) -> None:
    raw = params.get("changes")
    items = [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
    uris = [item["uri"] for item in items if isinstance(item.get("uri"), str)]
    params["changes"] = [{"uri": uri, "type": _CHANGED} for uri in uris]


def _configuration(params: dict[str, Any]) -> None:
    params.setdefault("settings", None)


def _code_action(params: dict[str, Any]) -> None:
    """Neither other servers' diagnostics nor who asks is looked at."""
    context = params.get("context")
    only = context.get("only") if isinstance(context, dict) else None
    params["context"] = {"diagnostics": []}
    if isinstance(only, list):
        params["context"]["only"] = [kind for kind in only if isinstance(kind, str)]


_MENDERS: dict[str, Callable[[dict[str, Any]], None]] = {
    INITIALIZE: _initialize,
    "textDocument/codeAction": _code_action,
    "workspace/didChangeConfiguration": _configuration,
    "workspace/didChangeWatchedFiles": _watched_files,
    "workspace/didChangeWorkspaceFolders": _changed_folders,
}


# When it did not become one


def clamp(data: dict[str, Any]) -> bool:
    """Make positions that lie beyond any document the last ones there are; whether any did."""
    found, waiting = False, [data.get("params")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for key in ("line", "character"):
                if isinstance(value.get(key), (int, float)) and value[key] > MOST:
                    value[key], found = MOST, True
            waiting += value.values()
    return found


def paths_of(error: BaseException) -> list[Path]:
    """Where in a message lies what could not be read, in JSON's names."""
    return [*dict.fromkeys(_paths(error, ()))]


def _paths(error: BaseException, path: Path) -> Iterable[Path]:
    if isinstance(error, ClassValidationError):
        known, others = error.group_exceptions()
        for inner, note in known:
            yield from _paths(inner, (*path, _camel(note.name)))
    elif isinstance(error, IterableValidationError):
        items, others = error.group_exceptions()
        for inner, place in items:
            yield from _paths(inner, (*path, place.index))
    else:
        yield path
        return
    for rest in others:
        yield from _paths(rest, path)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def prune(data: dict[str, Any], paths: Iterable[Path]) -> list[Path]:
    """Take out of the params what stands at paths, or the nearest part around it; what was."""
    found = {_nearest(data, path) for path in paths}
    gone = [path for path in found if len(path) > 1 and path[0] == "params"]
    gone.sort(reverse=True)  # the last item of a list first, what is inside before what is around
    for path in gone:
        parent: Any = data
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
    return gone[::-1]


def _nearest(data: Any, path: Path) -> Path:
    """The longest beginning of a path at which something stands."""
    for length, key in enumerate(path):
        there = isinstance(data, dict) and key in data
        if isinstance(key, int):
            there = isinstance(data, list) and key < len(data)
        if not there:
            return path[:length]
        data = data[key]
    return path


def named(paths: Iterable[Path]) -> str:
    """Paths as one writes them: `params.capabilities.workspace, params.trace`."""
    names = []
    for path in paths:
        parts = [f"[{key}]" if isinstance(key, int) else f".{key}" for key in path]
        names.append("".join(parts).lstrip(".") or "the message")
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
