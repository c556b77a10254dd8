"""What a figure was measured on, in words fit for a results file: no host name, no path."""

from __future__ import annotations

import platform
from pathlib import Path

from diffusion.spare_cores import cores


def describe() -> str:
    """Processor and core count, such as `AMD EPYC, 2 cores`."""
    return f"{_processor()}, {cores()} cores"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()
