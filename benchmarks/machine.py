"""What a benchmark ran on: a figure means nothing without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def machine() -> str:
    """One line: the processor, how many of them may be used, the load at the moment, and the versions."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    processors = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{processors} × {model}, load {load:.1f}; Linux {platform.release()}, Python {platform.python_version()}"
