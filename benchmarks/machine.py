"""What a benchmark ran on, and what else went on there: a figure means nothing without them."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_LOOK = 1.0
"""Seconds for which the processors are watched before a sample."""


def machine() -> str:
    """The processor, how many of them may be used, and the versions."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine())
    return f"{processors()} × {model}, Linux {platform.release()}, Python {platform.python_version()}"


def processors() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Conditions:
    """What a sample met."""

    load: float
    """The load average of the minute before, this run's own work included."""
    busy: float
    """Processors that were busy in the second before, while this run asked for nothing."""


def conditions() -> Conditions:
    """Watch the machine for a second, in which the caller has nothing to do."""
    load, before, began = os.getloadavg()[0], _busy_seconds(), time.monotonic()
    time.sleep(_LOOK)
    return Conditions(load, (_busy_seconds() - before) / (time.monotonic() - began))


def _busy_seconds() -> float:
    user, nice, system, _, _, *rest = map(int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + sum(rest)) / os.sysconf("SC_CLK_TCK")
