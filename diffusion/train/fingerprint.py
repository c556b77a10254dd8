"""Whether a stored run and a wanted one are the same, across versions of this program.

A fingerprint is the JSON of everything that shapes a run. A setting that is newer than the stored
run had one fixed value before it existed, and is compared with that.
"""

from __future__ import annotations

import json
from typing import Any

VERSION = 2
"""Since 2, `batch.rows` counts the rows of all processes; before, those of one."""

_BEFORE_IT_EXISTED: dict[str, Any] = {
    "noisings": 1,
    "selective": False,
    "complementary": False,
    "ema_decay": 0.0,
    "one_line": 0.0,
    "free_sizes": [],
}


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Names of the top-level settings in which two fingerprints differ."""
    plain = json.loads(json.dumps(wanted))
    old = _completed(stored, plain)
    if stored.get("version", 1) < 2:
        old["version"] = plain.get("version")
        rows, all_rows = old["batch"]["rows"], plain["batch"]["rows"]
        if all_rows % rows == 0:
            old["batch"]["rows"] = all_rows
    return [name for name in sorted(plain.keys() | old.keys()) if plain.get(name) != old.get(name)]


def _completed(stored: Any, wanted: Any) -> Any:
    """A copy of `stored` with the settings that it is too old to have."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        full = {name: _completed(value, wanted.get(name)) for name, value in stored.items()}
        for name in wanted.keys() - stored.keys():
            if name in _BEFORE_IT_EXISTED:
                full[name] = _BEFORE_IT_EXISTED[name]
        return full
    if isinstance(stored, list) and isinstance(wanted, list) and len(stored) == len(wanted):
        return [_completed(a, b) for a, b in zip(stored, wanted, strict=True)]
    return stored
