"""Whether this machine runs on its battery. Where that cannot be told, it does not.

Linux says it in `/sys/class/power_supply`, macOS by `pmset`; a machine of another kind counts as
plugged in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SUPPLIES = Path("/sys/class/power_supply")
_PMSET_S = 5.0


def _pmset() -> str:
    return subprocess.run(
        ["/usr/bin/pmset", "-g", "batt"], capture_output=True, text=True, timeout=_PMSET_S,
        check=False,
    ).stdout  # fmt: skip


def on_battery(
    platform: str = sys.platform, supplies: Path = SUPPLIES, pmset: Callable[[], str] = _pmset
) -> bool:
    """Whether a battery is what the machine runs on now."""
    try:
        if platform == "darwin":
            return "'Battery Power'" in pmset()
        return platform.startswith("linux") and _discharging(supplies)
    except (OSError, subprocess.SubprocessError):
        return False


def _discharging(supplies: Path) -> bool:
    found = [
        {name: _read(folder / name) for name in ("type", "online", "status", "scope")}
        for folder in sorted(supplies.iterdir())
    ]
    own = [supply for supply in found if supply["scope"] != "Device"]  # a mouse has one, too
    if any(supply["type"] != "Battery" and supply["online"] == "1" for supply in own):
        return False
    return any(s["type"] == "Battery" and s["status"] == "Discharging" for s in own)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
