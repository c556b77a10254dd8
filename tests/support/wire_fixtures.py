"""The messages in `tests/wire/`, which the server, the VS Code extension and the Neovim plugin all
replay: one file a method, so that none of the three can change its mind alone.

A file holds `method`, with `params` and `result` of a request or `notifications` of the server.
`document` and `engine` (texts or candidates of the scripted engine) say where the result comes
from, `first` what is asked before it, and `varies` the keys whose values differ from run to run;
of those only the JSON type is compared.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "wire"


def fixtures() -> dict[str, dict[str, Any]]:
    """All of them by their method."""
    read = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))]
    return {one["method"]: one for one in read}


def differences(found: Any, wanted: Any, varies: frozenset[str], at: str = "") -> list[str]:
    """Where a value differs from a fixture's, as sentences."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [f"{at}.{key} is in one only" for key in sorted(found.keys() ^ wanted.keys())]
        for key in sorted(found.keys() & wanted.keys()):
            if key not in varies:
                keys += differences(found[key], wanted[key], varies, f"{at}.{key}")
            elif _kind(found[key]) != _kind(wanted[key]):
                keys.append(f"{at}.{key} is {_kind(found[key])}, not {_kind(wanted[key])}")
        return keys
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [d for n, (a, b) in pairs for d in differences(a, b, varies, f"{at}[{n}]")]
    return [] if found == wanted else [f"{at} is {found!r}, not {wanted!r}"]


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value)
    return "number" if isinstance(value, (int, float)) else type(value).__name__
