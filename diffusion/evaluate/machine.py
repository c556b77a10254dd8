"""What a figure was measured on, in words fit for a results file: no host name, no path."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> str:
    """Processor and core count, such as `AMD EPYC, 2 cores`."""
    return f"{_processor()}, {len(usable_cores())} cores"


def usable_cores() -> set[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
