"""Whether a stored run and a wanted one are the same, across versions of this program.

A fingerprint is the JSON of everything that shapes a run. A setting that is newer than the stored
run had one fixed value before it existed, and is compared with that. Learning rates shape a run,
too, but are left out of the comparison: a run that has diverged goes on with lower ones.
"""

from __future__ import annotations

import json
from typing import Any

VERSION = 3
"""Since 2, `batch.rows` counts the rows of all processes; before, those of one. Since 3, all ten
digits count where windows are chosen (`selective`); before, eight of them did."""

_BEFORE_IT_EXISTED: dict[str, Any] = {
    "noisings": 1,
    "selective": False,
    "complementary": False,
    "ema_decay": 0.0,
    "one_line": 0.0,
    "free_sizes": [],
}
_RATES = ("matrix_lr", "other_lr", "adamw_only_lr")


def other_rates(stored: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """The learning rates in which two fingerprints differ: what was stored, and what is wanted."""
    old, new = stored.get("optimiser", {}), wanted.get("optimiser", {})
    return {
        name: (old[name], new[name])
        for name in _RATES
        if name in old and name in new and old[name] != new[name]
    }


def differences(stored: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Names of the top-level settings in which two fingerprints differ, rates left out."""
    plain = json.loads(json.dumps(wanted))
    old = _completed(stored, plain)
    for settings in (old, plain):
        if "optimiser" in settings:
            of_it = settings["optimiser"].items()
            settings["optimiser"] = {name: value for name, value in of_it if name not in _RATES}
    if stored.get("version", 1) < 3 and not _is_selective(old):
        old["version"] = plain.get("version")
    if stored.get("version", 1) < 2:
        rows, all_rows = old["batch"]["rows"], plain["batch"]["rows"]
        if all_rows % rows == 0:
            old["batch"]["rows"] = all_rows
    return [name for name in sorted(plain.keys() | old.keys()) if plain.get(name) != old.get(name)]


def _is_selective(settings: Any) -> bool:
    """Whether windows are chosen in any part of a run."""
    if isinstance(settings, dict):
        return settings.get("selective") is True or _is_selective(list(settings.values()))
    return isinstance(settings, list) and any(map(_is_selective, settings))


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
